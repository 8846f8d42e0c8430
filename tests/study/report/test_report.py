# SPDX-License-Identifier: Apache-2.0
"""`write`: the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trimtab.core.errors import MissingExtra, UsageError
from trimtab.study.report import write

from . import samples

SMALL = {"base": [1.0, 2.0, 3.0], "other": [0.9, 1.9, 2.7]}


def test_it_writes_one_file_and_says_where(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    assert write(samples.values(SMALL), target) == target
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert [p.name for p in target.parent.iterdir()] == ["report.html"]


def test_results_report_is_the_same(tmp_path: Path) -> None:
    results = samples.values(SMALL)
    assert results.report(tmp_path / "a.html").read_bytes() == write([results], tmp_path / "b.html").read_bytes()


def test_no_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results"):
        write([], tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_names_the_extra_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.html"
    target.write_text("old")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"trimtab\[report\]"):
        write(samples.values(SMALL), target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
