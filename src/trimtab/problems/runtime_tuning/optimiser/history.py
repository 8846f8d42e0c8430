# SPDX-License-Identifier: Apache-2.0
"""What was told, as arrays: one row a distinct configuration."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from ..encoding import Bools, Encoding, Floats, Ints
from ..problem import Trial

_FLOOR: Final = 0.003  # of a log ratio: what is less apart is the same
_TICK: Final = 0.001  # of a log ratio: no run is told more exactly than that


@dataclass(frozen=True)
class Scale:
    """Losses to the scale that is modelled: centred on the median, the bad side compressed by a logarithm.

    How bad a bad configuration is says little about where the good ones are, and
    a few that are 10 times worse would else be all that the model sees.
    """

    middle: float
    spread: float
    unit: float

    def __call__(self, loss: Floats) -> Floats:
        t = (loss - self.middle) / self.spread
        warped: Floats = np.where(t > 1.0, 1.0 + np.log(np.maximum(t, 1.0)), t) / self.unit
        return warped

    @classmethod
    def of(cls, loss: Floats) -> Scale:
        middle = float(np.median(loss))
        spread = max(
            float(np.sqrt((np.minimum(loss - middle, 2 * np.median(np.abs(loss - middle))) ** 2).mean())), _FLOOR
        )
        unit = float(np.std(cls(middle, spread, 1.0)(loss)))
        return cls(middle, spread, max(unit, 1e-3))


@dataclass(frozen=True)
class Observed:
    """Means of distinct configurations on the modelled scale."""

    rows: Ints  # (n,) into History.codes
    y: Floats
    runs: Floats
    censored: Bools  # known by lower bounds only
    extra: int  # runs that tell of noise alone
    within: float  # their sum of squares


class _Told(NamedTuple):
    """One trial with a value."""

    row: int
    loss: float
    runs: float
    censored: bool
    within: float | None


class History:
    """Trials in the order told."""

    def __init__(self, encoding: Encoding, limited: Collection[str] = ()) -> None:
        """limited: the metrics that constraints are about."""
        self._encoding = encoding
        self._limited = limited
        self._row: dict[bytes, int] = {}
        self._codes: list[Floats] = []
        self._worked: list[int] = []  # of each row: trials that did their work
        self._failed: list[int] = []
        self._observed: list[_Told] = []
        self._metrics: dict[str, list[tuple[int, float, float]]] = {}  # row, value, runs
        self.trials = 0

    def add(self, trial: Trial) -> int:
        """The row of its configuration."""
        codes = self._encoding.encode([trial.values])[0]
        row = self._row.setdefault(codes.tobytes(), len(self._codes))
        if row == len(self._codes):
            self._codes.append(codes)
            self._worked.append(0)
            self._failed.append(0)
        self.trials += 1
        unsaid = trial.status == "constraint" and not all(name in trial.metrics for name in self._limited)
        (self._worked if trial.valid and not unsaid else self._failed)[row] += 1  # "over a limit", and not by how much
        runs = float(max(trial.runs, 1))
        if trial.valid and trial.loss is not None and np.isfinite(trial.loss):
            self._observed.append(_Told(row, trial.loss, runs, trial.status == "censored", trial.within))
        if trial.status in ("ok", "constraint"):
            for name, value in trial.metrics.items():
                if value > 0 and np.isfinite(value):
                    self._metrics.setdefault(name, []).append((row, float(np.log(value)), runs))
        return row

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, codes: Floats) -> bool:
        return codes.tobytes() in self._row

    def row_of(self, codes: Floats) -> int | None:
        return self._row.get(codes.tobytes())

    @property
    def codes(self) -> Floats:
        return np.array(self._codes).reshape(-1, self._encoding.size)

    @property
    def worked(self) -> Bools:
        """Rows that worked at least as often as they failed."""
        worked: Bools = np.array(self._worked) >= np.maximum(np.array(self._failed), 1e-9)
        return worked

    @property
    def any_failed(self) -> bool:
        return any(self._failed)

    def outcomes(self) -> tuple[Floats, Bools]:
        """Codes and whether they worked, for what says which do."""
        return self.codes, self.worked

    def losses(self) -> Floats:
        return np.array([told.loss for told in self._observed])

    def observed(self, scale: Scale) -> Observed:
        usable = [o for o in self._observed if self._worked[o.row] >= self._failed[o.row]] or self._observed
        exact = {o.row for o in usable if not o.censored}
        usable = [o for o in usable if not o.censored or o.row not in exact]  # a value says more than a bound
        row, loss, runs, censored, _ = (np.array(column) for column in zip(*usable, strict=True))
        found = _means(row.astype(np.int64), scale(loss), runs, censored.astype(np.bool_))
        extra, within = _noise(usable, scale)
        return replace(found, extra=found.extra + extra, within=found.within + within)

    def metric(self, name: str) -> Observed | None:
        """Logs of a metric, not standardised."""
        found = self._metrics.get(name)
        if not found:
            return None
        row, value, runs = (np.array(column) for column in zip(*found, strict=True))
        return _means(row.astype(np.int64), value, runs, np.zeros(len(row), np.bool_))


def _noise(told: Sequence[_Told], scale: Scale) -> tuple[int, float]:
    """What the runs of one trial say of noise: degrees of freedom, and squares on the modelled scale.

    Not of bad configurations: where the scale compresses losses, it does so with their noise.
    """
    some = [o for o in told if o.within is not None and o.runs > 1.0 and o.loss <= scale.middle + scale.spread]
    extra = int(sum(o.runs - 1.0 for o in some))
    squares = sum((o.within or 0.0) for o in some) + extra * _TICK**2
    return extra, squares / (scale.spread * scale.unit) ** 2


def _means(row: Ints, y: Floats, runs: Floats, censored: Bools) -> Observed:
    rows, place = np.unique(row, return_inverse=True)
    total: Floats = np.bincount(place, runs).astype(np.float64)
    mean = np.bincount(place, runs * y) / total
    bound = np.bincount(place, censored) > 0
    if bound.any():  # the highest bound holds
        highest = np.full(len(rows), -np.inf)
        np.maximum.at(highest, place, y)
        mean = np.where(bound, highest, mean)
    exact = ~bound[place]
    within = float((runs * (y - mean[place]) ** 2)[exact].sum())
    return Observed(rows, mean, total, bound, int(exact.sum() - (~bound).sum()), within)
