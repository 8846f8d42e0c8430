# SPDX-License-Identifier: Apache-2.0
"""What is known of each configuration that was tried: its runs as log ratios to the default beside them."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..problem import Objective
from ..space import KnobSpace, Value, Values

#: runs -> variance of a median, and of the median distance to it, in those of a mean and a run (normal noise)
_OF_MEDIANS: Final = {2: (1.0, 0.5), 3: (1.346, 0.348)}
_OF_MANY: Final = (math.pi / 2.0, 0.455)


def key_of(space: KnobSpace, values: Values) -> str:
    """The same for configurations that are the same program."""
    return json.dumps(space.canonical(values), sort_keys=True)


def restore(space: KnobSpace, plain: Mapping[str, object]) -> dict[str, Value]:
    """Values as JSON holds them, as the space holds them: the order of a permutation is a tuple."""
    found: dict[str, Value] = {}
    for knob in space.knobs:
        value = plain[knob.name]
        found[knob.name] = tuple(map(str, value)) if isinstance(value, list) else value  # type: ignore[assignment]
    space.check(found)
    return found


@dataclass
class Record:
    """A configuration and its runs that came to an end."""

    values: Values
    losses: list[float] = field(default_factory=list)  # log ratios to the default, less is better
    variances: list[float] = field(default_factory=list)  # of each, from the level that it is compared with
    metrics: dict[str, float] = field(default_factory=dict)  # means
    failed: bool = False  # it crashed, hung, or was killed for being slow: it can't be the answer

    def add(self, loss: float, variance: float, metrics: Mapping[str, float]) -> None:
        n = len(self.losses)
        self.losses.append(loss)
        self.variances.append(variance)
        self.metrics = {name: (self.metrics.get(name, 0.0) * n + value) / (n + 1) for name, value in metrics.items()}

    @property
    def runs(self) -> int:
        return len(self.losses)

    @property
    def mean(self) -> float:
        return sum(self.losses) / len(self.losses)

    @property
    def middle(self) -> float:
        """The median: one run that was disturbed does not move it."""
        return statistics.median(self.losses)

    def variance(self, sd: float) -> float:
        """Of `mean`, where a run has the standard deviation `sd`."""
        n = len(self.losses)
        return sd**2 / n + sum(self.variances) / n**2

    def allowed(self, objective: Objective) -> bool:
        return not self.failed and bool(self.losses) and not objective.broken(self.metrics)


def condensed(losses: Sequence[float]) -> tuple[float, float]:
    """The median of some runs, and the sum of squares that runs as noisy as it would have around their mean.

    A machine's noise has long tails: most runs differ little, and now and then one is
    far off. So neither is read from the mean. A median of two or three normal runs is as
    good as a mean of runs with 1 or 1.35 times the variance; the median distance to it,
    squared, is 0.5 or 0.348 of the variance (of more runs 1.57 and 0.455 in the limit).
    """
    middle = statistics.median(losses)
    apart = statistics.median(abs(loss - middle) for loss in losses)
    wider, share = _OF_MEDIANS.get(len(losses), _OF_MANY)
    return middle, (len(losses) - 1) * wider * apart**2 / share


def chance(a: tuple[float, float], b: tuple[float, float]) -> float:
    """That the first of two (mean, variance) is truly less than the second."""
    spread = math.sqrt(a[1] + b[1])
    return 0.5 * math.erfc((a[0] - b[0]) / spread / math.sqrt(2.0)) if spread > 0 else float(a[0] < b[0])


@dataclass(frozen=True)
class Prior:
    """How the true log ratios of the configurations that were tried are spread.

    Seen through it, the best of many noisy results is not too good to be true (the
    winner's curse): a posterior mean is not biased by having been selected.
    """

    mean: float
    variance: float

    @classmethod
    def of(cls, records: list[Record], sd: float) -> Prior:
        """Method of moments over configurations, each with its own variance of measurement."""
        means = [record.mean for record in records]
        if len(means) < 2:
            return cls(0.0, 0.0)
        middle = sum(means) / len(means)
        seen = sum((mean - middle) ** 2 for mean in means) / (len(means) - 1)
        measured = sum(record.variance(sd) for record in records) / len(records)
        return cls(middle, max(0.0, seen - measured))

    def shrink(self, mean: float, variance: float) -> tuple[float, float]:
        """Posterior mean and variance of a configuration's true log ratio."""
        if self.variance == 0.0:
            return self.mean, 0.0
        weight = self.variance / (self.variance + variance)
        return self.mean + weight * (mean - self.mean), weight * variance
