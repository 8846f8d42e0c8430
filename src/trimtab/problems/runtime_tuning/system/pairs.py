# SPDX-License-Identifier: Apache-2.0
"""Configurations run in turns, in a random order each round, and what the differences say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..problem import Objective
from ..space import Values
from .journal import Journal
from .measure import Reading
from .meter import FOREVER, Meter, Patience

LEVEL: Final = 0.95


@dataclass(frozen=True)
class Turn:
    """A round: the log objective of each configuration that did its work, by name, and its metrics."""

    losses: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, float]]
    seconds: float


@dataclass(frozen=True)
class Interval:
    """A mean of log ratios with its 95 % interval (Student's t on the logs)."""

    mean: float
    low: float
    high: float
    n: int
    sd: float  # of one log ratio

    @classmethod
    def of(cls, logs: Sequence[float]) -> Interval:
        n, mean = len(logs), float(np.mean(logs))
        if n < 2:
            return cls(mean, -math.inf, math.inf, n, math.nan)
        sd = float(np.std(logs, ddof=1))
        half = t_quantile(0.5 + LEVEL / 2, n - 1) * sd / math.sqrt(n)
        return cls(mean, mean - half, mean + half, n, sd)

    def ratio(self) -> tuple[float, float, float]:
        """The same as ratios: middle, low, high."""
        return math.exp(self.mean), math.exp(self.low), math.exp(self.high)


def t_quantile(probability: float, degrees: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


@dataclass
class Turns:
    """Rounds of one stage (finals, proof, ...), kept in the journal; those that it has are not run again."""

    stage: str
    objective: Objective
    meter: Meter
    journal: Journal
    seed: int
    listen: Callable[[str, Turn], None] = lambda stage, turn: None
    seconds: float = 0.0  # of all rounds

    def __post_init__(self) -> None:
        rows = self.journal.rows
        self._kept = iter([row for row in rows if row["kind"] == "turn" and row["stage"] == self.stage])
        self._n = 0

    def play(self, players: Mapping[str, Values], patience: Mapping[str, Patience] | None = None) -> Turn:
        """One round. A configuration that does not do its work is missing in it."""
        row = next(self._kept, None)
        if row is None:
            row = self._run(players, patience or {})
            self.journal.append(row)
        elif sorted(row["order"]) != sorted(players):
            raise AssertionError(f"the journal's {self.stage} was between {row['order']}")
        self._n += 1
        turn = Turn(row["losses"], row["metrics"], row["seconds"])
        self.seconds += turn.seconds
        self.listen(self.stage, turn)
        return turn

    def _run(self, players: Mapping[str, Values], patience: Mapping[str, Patience]) -> dict[str, Any]:
        words = [self.seed, self._n, *self.stage.encode()]
        order = [sorted(players)[k] for k in np.random.default_rng(words).permutation(len(players))]
        readings = {name: self.meter.read(players[name], patience.get(name, FOREVER)) for name in order}
        return {
            "kind": "turn",
            "stage": self.stage,
            "order": order,
            "losses": dict(self._losses(readings)),
            "metrics": {name: dict(reading.metrics) for name, reading in readings.items()},
            "notes": {name: reading.note for name, reading in readings.items() if reading.note},
            "seconds": sum(reading.seconds for reading in readings.values()),
        }

    def _losses(self, readings: Mapping[str, Reading]) -> Iterator[tuple[str, float]]:
        for name, reading in readings.items():
            if reading.status == "ok" and reading.metrics[self.objective.metric] > 0:
                yield name, self.objective.loss(reading.metrics)
