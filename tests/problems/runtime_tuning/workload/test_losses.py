# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.runtime_tuning.problem import Objective
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace
from trimtab.problems.runtime_tuning.workload.losses import Run, rows

SPACE = KnobSpace((Knob("x", "real", 0.5, 0.0, 1.0), Knob("f", "bool", False)))
CPU = Objective("cpu")


def runs(count: int, noise: float = 0.0, drift: float = 0.0) -> tuple[list[Run], list[float]]:
    """A machine that becomes slower, and what the losses really are."""
    rng = np.random.default_rng(0)
    found, truth = [], []
    for i in range(count):
        x = 0.5 if i % 8 == 0 else float(f"{rng.random():.3g}")
        loss = 3.0 * (x - 0.5) ** 2
        seconds = math.exp(0.3 + drift * i / count + loss + noise * rng.normal())
        found.append(Run({"x": x, "f": False}, "ok", {"cpu": seconds, "rss": 123456789.0}))
        truth.append(loss)
    return found, truth


def test_losses_are_ratios_to_the_default():
    measured, truth = runs(200)
    assert [row.l for row in rows(SPACE, CPU, measured)] == pytest.approx(truth, abs=1e-4)


def test_a_drift_of_the_machine_is_taken_out():
    measured, truth = runs(400, drift=2.0)
    losses = [row.l for row in rows(SPACE, CPU, measured)]
    assert max(abs(a - b) for a, b in zip(losses, truth, strict=True) if a is not None) < 0.11
    middle = [abs(a - b) for a, b in list(zip(losses, truth, strict=True))[20:-20] if a is not None]
    assert max(middle) < 0.04  # of 2.0


def test_a_control_is_compared_with_the_others():
    """Compared with itself, too, a control would look less noisy than it is."""
    measured, _ = runs(1600, noise=0.05)
    controls = [row.l for row in rows(SPACE, CPU, measured)[::8]]
    assert np.std(controls) == pytest.approx(0.05 * math.sqrt(1.25), rel=0.15)


def test_what_failed_has_no_loss_and_what_was_killed_has_a_bound():
    measured, _ = runs(40)
    measured[3] = Run({"x": 0.1, "f": True}, "crash")
    measured[5] = Run({"x": 0.2, "f": True}, "censored", {"cpu": 4 * math.exp(0.3)})
    measured[6] = Run({"x": 0.2, "f": True}, "censored", {"cpu": 0.1})  # killed before it was slow: nothing is known
    found = rows(SPACE, CPU, measured)
    assert (found[3].s, found[3].l) == ("crash", None)
    assert (found[5].s, found[5].l) == ("censored", pytest.approx(math.log(4), abs=1e-4))
    assert (found[6].s, found[6].l) == ("timeout", None)


def test_more_is_better_where_the_objective_says_so():
    measured = [Run({"x": 0.5, "f": False}, "ok", {"tps": 100.0}) for _ in range(8)]
    measured[4] = Run({"x": 0.9, "f": False}, "ok", {"tps": 200.0})
    assert rows(SPACE, Objective("tps", "maximize"), measured)[4].l == pytest.approx(-math.log(2), abs=1e-4)


def test_metrics_that_are_kept_are_short():
    measured, _ = runs(40)
    assert rows(SPACE, CPU, measured, ["rss"])[1].m == {"rss": 123500000.0}
    assert rows(SPACE, CPU, measured)[1].m == {}


def test_without_controls_there_is_nothing_to_compare_with():
    measured, _ = runs(40)
    with pytest.raises(InvalidInstance, match="2 runs of the default are too few"):
        rows(SPACE, CPU, measured[:9])


def test_real_values_are_short_but_the_default_and_the_bounds_stay():
    space = KnobSpace((Knob("x", "real", 0.123456, 0.111111, 0.999999),))
    measured = [
        Run({"x": x}, "ok", {"cpu": 1.0})
        for x in (0.123456, 0.123456, 0.123456, 0.123456, 0.1111112, 0.9999989, 0.55555)
    ]
    values = [row.v[0] for row in rows(space, CPU, measured)]
    assert values[3:] == [0.123456, 0.111111, 0.999999, 0.556]
    assert all(space.knobs[0].holds(value) for value in values)
