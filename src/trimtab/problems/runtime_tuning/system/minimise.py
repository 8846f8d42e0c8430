# SPDX-License-Identifier: Apache-2.0
"""The smallest change from the default that keeps the gain, and what each part of it is worth.

Knobs are put back to their default in groups, half of them at first (Zeller's delta
debugging, 2002), and stay there if that costs nothing to speak of: the reduced
configuration and the full one are run in turns until that is clear, or for
`ROUNDS`. What cannot be put back is then measured knob by knob: the ablation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..space import KnobSpace, Value, Values
from .pairs import Interval, Turns
from .records import chance

ROUNDS: Final = 8
LEAST: Final = 3
CLEAR: Final = 0.95
FREE: Final = 0.1  # of the gain that a reduction may cost,
TRIFLE: Final = 0.01  # or this much, if that is more


@dataclass
class Reduction:
    """What is left of a configuration, and what putting back each of it would cost."""

    values: dict[str, Value]
    removed: list[str] = field(default_factory=list)
    worth: dict[str, float] = field(default_factory=dict)  # knob -> log ratio lost by putting it back, measured


def minimise(
    space: KnobSpace,
    values: Values,
    gain: float,
    turns: Callable[[str], Turns],
    noise: float,
    least_first: Sequence[str] = (),
) -> Reduction:
    """Put back what the gain (a log ratio, less is better) does not need.

    `turns` makes the rounds of a stage of the journal; `noise` is the standard
    deviation of a pair's log ratio; knobs named in `least_first` are tried first.
    """
    free = max(TRIFLE, FREE * abs(gain))
    reduction = Reduction(space.canonical(values))
    size = max(1, len(space.changed(reduction.values)) // 2)
    while True:
        order = _order(space.changed(reduction.values), least_first)
        for group in [order[k : k + size] for k in range(0, len(order), size)]:
            _try(space, reduction, group, turns, free, noise)
        if size == 1:
            break
        size = max(1, size // 2)
    return reduction


def _order(changed: Mapping[str, Value], least_first: Sequence[str]) -> list[str]:
    rank = {name: k for k, name in enumerate(least_first)}
    return sorted(changed, key=lambda name: (rank.get(name, len(rank)), name))


def _try(
    space: KnobSpace,
    reduction: Reduction,
    group: Sequence[str],
    turns: Callable[[str], Turns],
    free: float,
    noise: float,
) -> None:
    less = space.canonical({**reduction.values, **{name: space.by_name[name].default for name in group}})
    gone = [name for name in space.changed(reduction.values) if name not in space.changed(less)]
    if not gone or not space.allows(less):
        return
    cost = _cost(
        turns(f"without {' '.join(group)} of {len(space.changed(reduction.values))}"),
        reduction.values,
        less,
        free,
        noise,
    )
    if cost is not None and cost <= free:
        reduction.values = less
        reduction.removed += gone
    elif len(group) == 1:
        reduction.worth[group[0]] = math.inf if cost is None else cost


def _cost(turns: Turns, full: Values, less: Values, free: float, noise: float) -> float | None:
    """The log ratio of `less` to `full`, as far as is needed; None if `less` does not work."""
    logs: list[float] = []
    for number in range(1, ROUNDS + 1):
        turn = turns.play({"full": full, "less": less})
        if "less" not in turn.losses:
            return None
        if "full" in turn.losses:
            logs.append(turn.losses["less"] - turn.losses["full"])
        if number >= LEAST and len(logs) > 1:
            interval = Interval.of(logs)
            sd = max(interval.sd, noise)
            below = chance((interval.mean, sd**2 / interval.n), (free, 0.0))
            if not 1.0 - CLEAR < below < CLEAR:
                break
    return sum(logs) / len(logs) if logs else None
