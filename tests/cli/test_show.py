# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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
