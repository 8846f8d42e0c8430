# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning.system.cores import claim


def test_no_core_is_claimed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cores = sorted(os.sched_getaffinity(0))
    with claim(1) as first:
        assert first == cores[:1]
        with claim(len(cores) - 1) as others:
            assert sorted([*first, *others]) == cores
            with pytest.raises(UsageError, match="there are 0: lower -j"), claim(1):
                pass
    with claim(len(cores)) as again:
        assert again == cores
    with pytest.raises(UsageError, match="lower -j"), claim(len(cores) + 1):
        pass
