# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from trimtab.cli import main
from trimtab.problems.cluster_scheduling.datasets import DATASETS

from .conftest import Call


def test_the_card_and_what_is_available(trimtab: Call) -> None:
    out = trimtab("show", "toy").out
    assert "A [number] is hidden." in out  # names are not taken for rich's markup
    assert "half    ready, the reference" in out
    assert "absent  pip install 'trimtab[exotic]'" in out
    assert "error  1, minimize" in out


def test_json(trimtab: Call) -> None:
    card = trimtab("show", "toy", "--json").json
    assert card["solvers"]["absent"] == "pip install 'trimtab[exotic]'"
    assert card["reference"] == "half"
    assert card["reads_files"] and card["captures"]


def test_unknown(trimtab: Call) -> None:
    answer = trimtab("show", "toi")
    assert answer.code == 2
    assert "Did you mean 'toy'?" in answer.err


def test_the_public_data_of_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path))
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    assert main.run(["show", "cluster_scheduling", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert set(data) == {dataset.name for dataset in DATASETS}
    assert data["decima-tpch"] == "trimtab data import PATH"
