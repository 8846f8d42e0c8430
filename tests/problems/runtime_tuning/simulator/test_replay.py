# SPDX-License-Identifier: Apache-2.0
import math
from functools import cache

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.problems.runtime_tuning.encoding import Encoding
from trimtab.problems.runtime_tuning.problem import Configuration, Constraint, Objective, Search, Target
from trimtab.problems.runtime_tuning.simulator import Replay, Row, Simulator, Table
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

SPACE = KnobSpace(
    (
        Knob("threads", "int", 1, 1, 16, log=True),
        Knob("mode", "enum", "safe", values=("safe", "fast", "broken")),
        Knob("cache", "real", 0.1, 0.0, 1.0),
        Knob("nothing", "bool", False),
    )
)
NOISE = 0.03


def _truth(values: dict[str, object]) -> float:
    threads, cache_ = values["threads"], values["cache"]
    assert isinstance(threads, int)
    assert isinstance(cache_, float)
    return -0.2 * math.log2(threads) - (0.3 if values["mode"] == "fast" else 0.0) + (cache_ - 0.7) ** 2 - 0.36


@cache
def table() -> Table:
    """400 configurations, every tenth three times, and 60 runs of the default."""
    rng = np.random.default_rng(0)
    drawn = [SPACE.draw(rng) for _ in range(400)]
    many = [v for i, v in enumerate(drawn) for _ in range(3 if i % 10 == 0 else 1)] + [dict(SPACE.default)] * 60
    rows = []
    for values in many:
        v = tuple(values[k.name] for k in SPACE.knobs)
        if values["mode"] == "broken":
            rows.append(Row(v, "timeout"))
        else:
            loss = _truth(dict(values)) + NOISE * float(rng.normal())
            rows.append(Row(v, "ok", loss, {"rss": 1e8 * (1.0 + float(values["cache"]))}))  # type: ignore[arg-type]
    return Table("t", SPACE, Objective(), tuple(rows))


REPLAY = Replay(table)


def test_losses_are_those_of_the_function_that_was_measured() -> None:
    rng, codes = np.random.default_rng(7), REPLAY.encoding.spread(np.random.default_rng(7).random((500, 4)))
    codes = codes[REPLAY.valid(codes)]
    truth = np.array([_truth(dict(REPLAY.encoding.decode(row))) for row in codes])
    found = REPLAY.losses(codes)
    assert 1.0 - ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum() > 0.95
    assert REPLAY.loss(SPACE.default) == pytest.approx(0.0)
    assert REPLAY.fidelity.r2 > 0.9
    assert rng is not None


def test_noise_is_that_of_repeated_runs() -> None:
    assert REPLAY.fidelity.noise == pytest.approx(NOISE, rel=0.15)
    assert REPLAY.fidelity.repeats > 100
    rng = np.random.default_rng(0)
    values = {**SPACE.default, "threads": 8}
    losses = [trial.loss for trial in (REPLAY.measure(values, rng) for _ in range(500)) if trial.loss is not None]
    assert np.mean(losses) == pytest.approx(REPLAY.loss(values), abs=0.005)
    assert np.std(losses) == pytest.approx(NOISE, rel=0.2)


def test_what_was_refused_is_refused() -> None:
    assert REPLAY.measure({**SPACE.default, "mode": "broken"}, np.random.default_rng(0)).status == "timeout"
    assert REPLAY.measure({**SPACE.default, "mode": "fast"}, np.random.default_rng(0)).status == "ok"
    assert REPLAY.fidelity.validity > 0.98


def test_the_best_is_the_best() -> None:
    values, loss = REPLAY.best
    assert values["threads"] in (14, 15, 16)
    assert values["mode"] == "fast"
    assert loss == pytest.approx(REPLAY.loss(values))
    codes = REPLAY.encoding.spread(np.random.default_rng(3).random((3000, 4)))
    assert REPLAY.losses(codes[REPLAY.valid(codes)]).min() >= loss


def test_the_backend_judges_by_ratio_and_repeats_itself() -> None:
    target = Target("t", SPACE, replay=REPLAY)
    decision = Configuration({**SPACE.default, "threads": 16}, Search(30, 4, 1.0, 0.01))
    outcomes = [Simulator().evaluate(target, decision, seed=s).metrics for s in (1, 1, 2)]
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert set(outcomes[0]) == {"ratio", "trials", "invalid"}
    exact = Simulator(exact=True).evaluate(target, decision, seed=1).metrics["ratio"]
    assert math.log(exact) == pytest.approx(-0.8, abs=0.08)
    broken = Simulator().evaluate(target, Configuration({**SPACE.default, "mode": "broken"}), seed=0)
    assert not broken.feasible
    assert broken.note == "timeout"


def test_a_constraint_is_judged_by_a_model_of_its_metric() -> None:
    target = Target("t", SPACE, Objective(constraints=(Constraint("rss", 1.5e8),)), replay=REPLAY)
    fits = Simulator().evaluate(target, Configuration({**SPACE.default, "cache": 0.2}), seed=0)
    breaks = Simulator().evaluate(target, Configuration({**SPACE.default, "cache": 0.9}), seed=0)
    assert fits.feasible
    assert not breaks.feasible
    assert breaks.metrics["rss"] == pytest.approx(1.9e8, rel=0.1)


def test_what_can_not_be_replayed_says_so() -> None:
    with pytest.raises(UsageError, match="system"):
        Simulator().evaluate(Target("t", SPACE), Configuration(SPACE.default), seed=0)
    few = Table("few", SPACE, Objective(), table().rows[:20])
    with pytest.raises(InvalidInstance, match="needs 40"):
        Replay(few).loss(SPACE.default)
    with pytest.raises(UsageError, match="threads"):
        Simulator().evaluate(Target("t", SPACE, replay=REPLAY), Configuration({**SPACE.default, "threads": 99}), seed=0)
    with pytest.raises(InvalidInstance, match="wall"):
        REPLAY.measure(SPACE.default, np.random.default_rng(0), ["wall"])


def test_codes_of_a_replay_are_those_of_its_space() -> None:
    assert (REPLAY.encoding.default == Encoding(SPACE).default).all()
