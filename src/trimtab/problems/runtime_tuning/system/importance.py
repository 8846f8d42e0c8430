# SPDX-License-Identifier: Apache-2.0
"""Which knobs mattered: the share of the spread of results that each explains by itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..space import Knob, KnobSpace
from .records import Record

_BINS = 3  # of a number
_LEAST = 8  # configurations


def main_effects(space: KnobSpace, records: list[Record]) -> Mapping[str, float]:
    """Knob -> adjusted correlation ratio (epsilon squared, Kelley 1935) of the log ratio over the knob's values.

    0: no more than chance would give. A knob that works only together with others may
    be missed; numbers are cut into three ranges of equal counts. Empty with too few results.
    """
    known = [record for record in records if record.runs and not record.failed]
    if len(known) < _LEAST:
        return {}
    losses = np.array([record.mean for record in known])
    groups = {knob.name: _groups(knob, [record.values[knob.name] for record in known]) for knob in space.knobs}
    found = {name: _epsilon_squared(losses, group) for name, group in groups.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _groups(knob: Knob, values: list[object]) -> NDArray[np.intp]:
    if knob.kind in ("int", "real") and len(set(values)) > _BINS:
        x = np.array([float(v) for v in values])  # type: ignore[arg-type]
        edges = np.quantile(x, np.arange(1, _BINS) / _BINS)
        return np.searchsorted(edges, x, side="left")
    names = {value: k for k, value in enumerate(dict.fromkeys(values))}
    return np.array([names[value] for value in values], np.intp)


def _epsilon_squared(losses: NDArray[np.float64], groups: NDArray[np.intp]) -> float:
    n, found = len(losses), np.unique(groups)
    total = float(((losses - losses.mean()) ** 2).sum())
    if len(found) < 2 or len(found) >= n or total == 0.0:
        return 0.0
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in (losses[groups == g] for g in found))
    return max(0.0, 1.0 - within / (n - len(found)) / (total / (n - 1)))
