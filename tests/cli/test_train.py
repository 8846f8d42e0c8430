# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from trimtab.core.fingerprint import fingerprint

from . import toy
from .conftest import Call


def test_the_policy_its_card_and_its_use(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("train", "toy", "-o", "p.safetensors", "--seed", "3", "--json")
    card = json.loads((tmp_path / "p.safetensors.json").read_text())
    assert answer.json == {"policy": "p.safetensors", **card}
    assert card["sha256"] == hashlib.sha256((tmp_path / "p.safetensors").read_bytes()).hexdigest()
    assert (card["seed"], card["evaluations"], card["solver"]) == (3, 6, "mean")
    assert card["trained_on"]["n0"] == fingerprint(toy.Hidden(0.5))
    # trained: 0.525; validation: 0.60 ... 0.65, so the mean error is 0.1
    assert card["validation"]["metrics"]["error"] == pytest.approx(0.1)
    assert card["validation"]["reference_metrics"]["error"] == pytest.approx(0.125)
    (tmp_path / "a.txt").write_text("0.525")
    assert trimtab("solve", "toy", "a.txt", "--policy", "p.safetensors").code == 0


def test_it_says_where_and_how_good(trimtab: Call) -> None:
    answer = trimtab("train", "toy", "--solver", "mean", "-o", "p.safetensors")
    assert "error: 0.1 on 6 validation instances; half: 0.125" in answer.out
    assert "saved as p.safetensors" in answer.err


def test_an_interruption_leaves_the_older_file(trimtab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "p.safetensors").write_text("old")

    def interrupted(self: object, tasks: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.Mean, "fit", interrupted)
    answer = trimtab("train", "toy", "-o", "p.safetensors")
    assert answer.code == 130
    assert "nothing was written" in answer.err
    assert [p.name for p in tmp_path.iterdir()] == ["p.safetensors"]
    assert (tmp_path / "p.safetensors").read_text() == "old"


def test_a_save_that_breaks_leaves_nothing(trimtab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def half(self: object, path: Path) -> None:
        path.write_text("half of i")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(toy.Constant, "save", half)
    answer = trimtab("train", "toy", "-o", "p.safetensors")
    assert answer.code == 1
    assert "No space left" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--solver", "men", "-o", "p"), ("-o", "no/such/folder/p"), ()])
def test_nonsense(trimtab: Call, arguments: tuple[str, ...]) -> None:
    assert trimtab("train", "toy", *arguments).code == 2


def test_the_budget_is_metered(trimtab: Call) -> None:
    answer = trimtab("train", "toy", "-o", "p", "--budget-seconds", "1e-9")
    assert answer.code == 1
    assert "budget is spent" in answer.err
