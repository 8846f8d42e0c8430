# SPDX-License-Identifier: Apache-2.0
"""What a task is expected to take at each parallelism: the profile, averaged.

Decima pools all levels and waves into one mean. That hides what an allocation
costs: on its own TPC-H profile a small job takes three times the executor time
on 50 executors that it takes on 5, because every executor pays the first wave
of every stage.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats

#: Parallelisms at which a rule may look: every small one, then ever coarser.
GRID: Final = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100], np.int64)


def expected_s(draws: NDArray[np.void], levels: NDArray[np.int64], durations: Floats) -> Floats:
    """Mean duration of a job's stages by wave and parallelism.  (stages, waves, len(GRID)) s

    `draws` is what a task draws from, (stages, levels, waves) with the ranges
    of `durations`; between two levels the mean weighs them as the engine does.
    """
    total = np.concatenate(([0.0], np.cumsum(durations)))
    start, count = draws["start"].astype(np.int64), draws["count"].astype(np.int64)
    mean_ms = (total[start + count] - total[start]) / count + draws["delay_ms"]
    low = np.clip(np.searchsorted(levels, GRID, side="right") - 1, 0, len(levels) - 1)
    high = np.minimum(low + 1, len(levels) - 1)
    into, gap = GRID - levels[low], levels[high] - levels[low]
    between = (into > 0) & (gap > 0)
    # the reference takes the lower level with probability into / gap: nearer to the upper one, likelier the lower
    lower_share = np.where(between, into / np.maximum(gap, 1), 1.0)
    blend = lower_share[:, None] * mean_ms[:, low, :] + (1 - lower_share)[:, None] * mean_ms[:, high, :]
    return np.ascontiguousarray(np.moveaxis(blend, 1, 2)) / 1000
