# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections import Counter
from itertools import islice, pairwise

from trimtab.problems.runtime_tuning.space import Knob, KnobSpace
from trimtab.problems.runtime_tuning.workload.plan import CONTROL, plan

SPACE = KnobSpace(
    (
        Knob("x", "real", 0.5, 0.0, 1.0),
        Knob("n", "int", 3, 1, 100, log=True),
        Knob("mode", "enum", "a", values=("a", "b", "c")),
        Knob("deep", "bool", True, when={"mode": ("b",)}),
    ),
    ({"mode": ("c",), "n": tuple(range(50, 101))},),
)


def first(count: int, seed: int = 0) -> list[dict[str, object]]:
    return [dict(values) for values in islice(plan(SPACE, seed), count)]


def test_the_order_is_a_function_of_space_and_seed():
    assert first(300) == first(300)
    assert first(300)[:120] == first(120)
    assert first(50) != first(50, seed=1)


def test_the_default_comes_back_as_control():
    runs = first(400)
    assert all(runs[i] == SPACE.default for i in range(0, 400, CONTROL))


def test_a_twentieth_is_run_three_times_apart():
    runs = first(4000)
    where: dict[str, list[int]] = {}
    for i, values in enumerate(runs):
        if i % CONTROL:
            where.setdefault(json.dumps(values, sort_keys=True), []).append(i)
    times = Counter(len(places) for places in where.values())
    assert set(times) == {1, 2, 3}  # the last ones' repeats are still to come
    assert 0.03 < times[3] / len(where) < 0.07
    assert all(b - a > 20 for places in where.values() for a, b in pairwise(places))


def test_what_is_known_to_be_refused_is_not_measured():
    assert all(SPACE.allows(values) and SPACE.canonical(values) == values for values in first(600))


def test_the_points_are_spread_evenly():
    xs = sorted(float(values["x"]) for values in first(600) if values != SPACE.default)  # type: ignore[arg-type]
    share = [sum(k / 8 <= x < (k + 1) / 8 for x in xs) / len(xs) for k in range(8)]
    assert all(0.10 < s < 0.15 for s in share)
