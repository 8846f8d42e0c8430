# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from trimtab.core.task import Budget
from trimtab.study.report import words

from . import samples


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.87123, "0.8712"),
        (84.31, "84.31"),
        (12345.6, "12,346"),
        (-3.5, "-3.500"),
        (1e-7, "1.000e-07"),
        (math.nan, "–"),
        (math.inf, "∞"),
    ],
)
def test_number(value: float, shown: str) -> None:
    assert words.number(value) == shown


def test_a_column_has_the_decimals_of_its_largest_number() -> None:
    assert words.aligned([1.23456, 123.456, math.nan]) == ["1.2", "123.5", "–"]
    assert words.aligned([0.5, 0.25]) == ["0.5000", "0.2500"]
    assert words.aligned([math.nan]) == ["–"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0"), (4e-6, "4.00 µs"), (0.25, "250 ms"), (59, "59.0 s"), (90, "1.50 min"), (5400, "1.50 h")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_lists_are_cut_where_they_get_long() -> None:
    assert words.listed([]) == ""
    assert words.listed("a") == "a"
    assert words.listed("ab") == "a and b"
    assert words.listed("abcd") == "a, b, c and d"
    assert words.listed("abcdef") == "a, b, c and 3 more"


def test_budget() -> None:
    assert words.budget(Budget()) == "unlimited"
    assert words.budget(Budget(200, 60)) == "200 evaluations, 1.00 min"


def test_the_command_is_the_one_that_was_given_or_asks_for_the_same() -> None:
    found = samples.search()
    assert words.command(found) == samples.SYSTEM["command"]
    made = words.command(samples.results(found.runs, problem="toy", system={}, budget=found.budget))
    assert made.startswith("trimtab run toy --split test --seeds 3 --backend simulator --solvers annealing,")
    assert made.endswith(" --budget 200")


def test_tracks_in_order() -> None:
    assert words.tracks(samples.search()) == ("policy", "search")
    assert words.tracks(samples.scheduling(3, 1)) == ("policy",)
