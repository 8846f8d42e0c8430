# SPDX-License-Identifier: Apache-2.0
"""From runs in the order measured to rows of a table: each a log ratio to the default as measured beside it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from trimtab.core.errors import InvalidInstance

from ..problem import Objective, Status
from ..simulator import Row
from ..space import Knob, KnobSpace, Value, Values

_BESIDE: Final = 4  # control runs that a run is compared with, those nearest in time
_FEWEST: Final = 3  # control runs without which there is no table
_DIGITS: Final = 4  # of losses after the point, of metrics significant
_VALUE_DIGITS: Final = 3  # significant, of real values: half a per mille from what was run, and half the file


@dataclass(frozen=True)
class Run:
    """One measured run."""

    values: Values
    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)  # where censored: lower bounds


def rows(space: KnobSpace, objective: Objective, runs: Sequence[Run], keep: Collection[str] = ()) -> tuple[Row, ...]:
    """The rows, with the metrics that are named in `keep`.

    Raises `InvalidInstance` where too few runs of the default went well.
    """
    default = dict(space.default)
    losses = [objective.loss(run.metrics) if run.status in ("ok", "censored") else None for run in runs]
    where = [i for i, run in enumerate(runs) if run.status == "ok" and space.canonical(run.values) == default]
    if len(where) < _FEWEST:
        raise InvalidInstance(f"{len(where)} runs of the default are too few to compare with (at least {_FEWEST})")
    controls = [(i, _of(losses[i])) for i in where]
    return tuple(
        _row(space, run, None if loss is None else loss - _level(controls, i), keep)
        for i, (run, loss) in enumerate(zip(runs, losses, strict=True))
    )


def _of(loss: float | None) -> float:
    assert loss is not None  # a control is ok
    return loss


def _level(controls: Sequence[tuple[int, float]], run: int) -> float:
    """The mean loss of the controls nearest to a run in time, itself left out."""
    at = bisect_left(controls, (run, -math.inf))
    around = [c for c in controls[max(0, at - _BESIDE) : at + _BESIDE + 1] if c[0] != run]
    nearest = sorted(around, key=lambda control: abs(control[0] - run))[:_BESIDE]
    return sum(loss for _, loss in nearest) / len(nearest)


def _row(space: KnobSpace, run: Run, loss: float | None, keep: Collection[str]) -> Row:
    values = space.canonical(run.values)
    listed = tuple(_brief(knob, values[knob.name]) for knob in space.knobs)
    if run.status == "censored" and loss is not None and loss <= 0:  # a bound that says nothing
        return Row(listed, "timeout")
    metrics = {name: _short(run.metrics[name]) for name in keep if name in run.metrics and run.status == "ok"}
    return Row(listed, run.status, None if loss is None else round(loss, _DIGITS), metrics)


def _brief(knob: Knob, value: Value) -> Value:
    if knob.kind != "real" or not isinstance(value, float) or value in (knob.default, *knob.special):
        return value
    return min(max(_short(value, _VALUE_DIGITS), knob.low), knob.high)


def _short(x: float, digits: int = _DIGITS) -> float:
    return float(f"{x:.{digits}g}")
