# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

from trimtab.kit import compiled


def test_an_edited_file_has_another_cache(tmp_path: Path):
    (tmp_path / "below.py").write_text("A = 1\n")
    (tmp_path / "above.py").write_text("from .below import A\n")
    (tmp_path / "beside.py").write_text("B = 1\n")

    def folders() -> list[Path]:
        compiled._cache_folder.cache_clear()
        return [compiled._cache_folder(tmp_path / f"{name}.py") for name in ("above", "below", "beside")]

    before = folders()
    assert before == folders()
    (tmp_path / "below.py").write_text("A = 2\n")
    after = folders()
    compiled._cache_folder.cache_clear()
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, True]


def test_without_numba_the_extra_is_named(tmp_path: Path):
    (tmp_path / "numba.py").write_text("raise ModuleNotFoundError(\"No module named 'numba'\", name='numba')\n")
    code = (
        "from trimtab.core.errors import MissingExtra\n"
        "try:\n    import trimtab.problems.cluster_scheduling.simulator\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "pip install 'trimtab[fast]'" in done.stdout
