# SPDX-License-Identifier: Apache-2.0
"""What a capture measures, in order: scrambled Sobol points, the default every few runs as control, and repeats."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final

import numpy as np

from ..space import KnobSpace, Value

CONTROL: Final = 8  # every so many runs, the default
REPEATED: Final = 0.05  # share of the configurations that is run three times, apart in time
_APART: Final = (31, 97)  # runs


def plan(space: KnobSpace, seed: int) -> Iterator[dict[str, Value]]:
    """Configurations without end; the same for the same space and seed, so that a capture can be taken up again."""
    points = _points(space, seed)
    rng = np.random.default_rng([seed, 1])
    again: dict[int, dict[str, Value]] = {}
    run = 0
    while True:
        if run % CONTROL == 0:
            yield dict(space.default)
        elif run in again:
            yield again.pop(run)
        else:
            values = next(points)
            if rng.random() < REPEATED:
                for apart in _APART:
                    again[_free(run + apart, again)] = values
            yield values
        run += 1


def _free(run: int, taken: dict[int, dict[str, Value]]) -> int:
    while run in taken or run % CONTROL == 0:
        run += 1
    return run


def _points(space: KnobSpace, seed: int) -> Iterator[dict[str, Value]]:
    from scipy.stats import qmc

    sobol = qmc.Sobol(len(space.knobs), rng=np.random.default_rng(seed))
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # blocks that are no power of two: balance is not needed
            block = sobol.random(64)
        for point in block:
            values = space.at(point)
            if space.allows(values):
                yield values
