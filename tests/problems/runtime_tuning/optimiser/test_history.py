# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.runtime_tuning.encoding import Encoding
from trimtab.problems.runtime_tuning.optimiser.history import History, Scale
from trimtab.problems.runtime_tuning.problem import Trial
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

SPACE = KnobSpace((Knob("x", "int", 1, 1, 9), Knob("b", "bool", False)))


def _values(x: int) -> dict[str, bool | int | float | str | tuple[str, ...]]:
    return {"x": x, "b": False}


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=30))
def test_the_scale_keeps_the_order(losses: list[float]) -> None:
    array = np.array(losses)
    scaled = Scale.of(array)(array)
    assert np.isfinite(scaled).all()
    order = np.argsort(array)
    assert (np.diff(scaled[order]) >= -1e-12).all()


def test_repeats_are_means_weighted_by_their_runs() -> None:
    history = History(Encoding(SPACE))
    history.add(Trial(_values(2), "ok", 1.0, runs=1))
    history.add(Trial(_values(2), "ok", 2.0, runs=3))
    history.add(Trial(_values(5), "ok", 0.0))
    seen = history.observed(Scale(0.0, 10.0, 1.0))
    assert seen.y == pytest.approx([0.175, 0.0])
    assert seen.runs == pytest.approx([4.0, 1.0])
    assert seen.extra == 1
    assert seen.within == pytest.approx(1 * 0.075**2 + 3 * 0.025**2)


def test_the_runs_of_one_trial_tell_of_noise_but_for_bad_configurations() -> None:
    rng = np.random.default_rng(0)
    history = History(Encoding(SPACE))
    for x in range(1, 9):
        runs = (0.2 if x < 8 else 99.0) + 0.1 * rng.standard_normal(400)
        within = float(((runs - runs.mean()) ** 2).sum())
        history.add(Trial(_values(x), "ok", float(runs.mean()), len(runs), within=within))
    seen = history.observed(Scale(0.0, 2.0, 0.5))
    assert seen.extra == 7 * 399  # the eighth's are compressed
    assert seen.within / seen.extra == pytest.approx(0.1**2, rel=0.1)


def test_runs_that_are_all_the_same_do_not_make_noise_nothing() -> None:
    history = History(Encoding(SPACE))
    history.add(Trial(_values(1), "ok", 0.0, 3, within=0.0))
    history.add(Trial(_values(2), "ok", 0.0, 3))  # nothing is known of these
    seen = history.observed(Scale(0.0, 1.0, 1.0))
    assert seen.extra == 2
    assert 0.0 < seen.within < 1e-5


def test_a_bound_gives_way_to_a_value_and_the_highest_bound_holds() -> None:
    history = History(Encoding(SPACE))
    for loss in (0.2, 0.4):
        history.add(Trial(_values(3), "censored", loss))
    seen = history.observed(Scale(0.0, 10.0, 1.0))
    assert seen.censored.all()
    assert seen.y == pytest.approx([0.04])
    history.add(Trial(_values(3), "ok", 0.9))
    seen = history.observed(Scale(0.0, 10.0, 1.0))
    assert not seen.censored.any()
    assert seen.y == pytest.approx([0.09])


def test_what_failed_more_often_than_it_worked_is_not_modelled() -> None:
    history = History(Encoding(SPACE))
    history.add(Trial(_values(1), "ok", 0.0))
    history.add(Trial(_values(4), "ok", -1.0))
    history.add(Trial(_values(4), "crash"))
    assert history.worked.all()
    history.add(Trial(_values(4), "timeout"))
    assert list(history.worked) == [True, False]
    assert list(history.observed(Scale(0.0, 1.0, 1.0)).rows) == [0]


def test_a_metric_is_kept_as_its_logarithm_and_a_limit_without_a_value_is_a_failure() -> None:
    history = History(Encoding(SPACE), {"rss"})
    history.add(Trial(_values(1), "ok", 0.0, metrics={"rss": 100.0}))
    history.add(Trial(_values(2), "constraint", 0.0, metrics={"rss": 300.0}))
    history.add(Trial(_values(3), "constraint", 0.0))
    found = history.metric("rss")
    assert found is not None
    assert found.y == pytest.approx([math.log(100.0), math.log(300.0)])
    assert list(history.worked) == [True, True, False]
    assert history.metric("wall") is None
