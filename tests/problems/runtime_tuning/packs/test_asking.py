# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import MissingTool, Unavailable, UsageError
from trimtab.problems.runtime_tuning.packs.asking import around, ask, find, largest, smallest, version


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_bounds_are_found_by_asking(a: int, b: int, c: int, d: int):
    low, least, most, high = sorted((a, b, c, d))
    middle = (least + most) // 2
    assert smallest(low, middle, lambda value: least <= value <= most) == least
    assert largest(middle, high, lambda value: least <= value <= most) == most


def test_bounds_are_found_with_few_questions():
    asked: list[int] = []

    def takes(value: int) -> bool:
        asked.append(value)
        return value >= 777_777

    assert smallest(0, 1 << 20, takes) == 777_777
    assert len(asked) <= 22


@given(st.integers(-5, 10**9))
def test_a_range_around_a_default_holds_it(default: int):
    low, high, log = around(default, -10.0, 2.0**31)
    assert low <= default <= high
    assert low > 0 or not log


def test_a_range_around_a_default_stays_within_what_is_allowed():
    assert around(100, 50, 200) == (50, 200, True)
    assert around(0, 0, 3) == (0, 3, False)


def test_a_tool_is_found_or_the_package_is_named():
    with pytest.raises(MissingTool, match="apt-get install nothing-at-all"):
        find("", "no-such-program-here", "nothing-at-all", "x")
    with pytest.raises(UsageError, match="/no/such/place is not a program"):
        find("/no/such/place", "true", "coreutils", "x")
    assert find("", "sh", "dash", "x").name == "sh"


def test_what_a_tool_prints_is_read_whatever_it_is():
    assert ask(["sh", "-c", "printf 'a\\377b'; echo c >&2; exit 3"]) == "a\N{REPLACEMENT CHARACTER}bc\n"
    with pytest.raises(Unavailable, match="does not answer"):
        ask(["sleep", "30"], seconds=0.05)
    with pytest.raises(Unavailable, match="does not answer"):
        ask(["/no/such/program"])


def test_versions():
    assert version('openjdk version "17.0.15" 2025-04-15') == "17.0.15"
    assert version("nothing") == ""
