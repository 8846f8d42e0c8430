# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ENTRY_POINTS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["entry-points"]


def test_ids_are_registered_and_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, gymnasium, trimtab.envs; "
        "print(*(id for id in gymnasium.registry if id.startswith('trimtab/'))); "
        "assert not {'numba', 'torch', 'scipy'} & set(sys.modules); "
        "assert not [m for m in sys.modules if m.startswith('trimtab.problems')]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(ENTRY_POINTS["trimtab.envs"])
    assert done.stderr == ""
