# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from .conftest import Call


def test_the_problem_s_own_command(trimtab: Call) -> None:
    assert trimtab("capture", "toy", "--loud", "--", "one", "--two").out == "ONE --TWO\n"
    assert "Listen." in trimtab("capture", "toy", "--help").out
    assert "toy" in trimtab("capture", "--help").out


def test_mistakes(trimtab: Call) -> None:
    assert trimtab("capture", "tooy").code == 2
    assert trimtab("capture", "toy", "--lout").code == 2
