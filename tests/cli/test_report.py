# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from .conftest import Call


def test_pages_from_ledgers(trimtab: Call, tmp_path: Path) -> None:
    trimtab("run", "toy", "--quick", "--out", "runs/a", "--no-report")
    trimtab("run", "toy", "--quick", "--out", "runs/b", "--no-report")
    answer = trimtab("report", "runs", "-o", "both.html", "--json").json
    assert [study["ledger"] for study in answer["studies"]] == ["runs/a", "runs/b"]
    assert "Which number is hidden?" in (tmp_path / "both.html").read_text()
    assert trimtab("report", "runs/a").out == "report: report.html\n"


def test_a_folder_without_a_ledger(trimtab: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = trimtab("report", "empty")
    assert answer.code == 2
    assert "empty" in answer.err
    assert not (tmp_path / "report.html").exists()
