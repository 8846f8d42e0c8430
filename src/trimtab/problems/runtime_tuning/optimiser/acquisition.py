# SPDX-License-Identifier: Apache-2.0
"""How much one more trial of a configuration is expected to better what will be kept."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.special import ndtr

from ..encoding import Floats, Ints

_ROOT: Final = math.sqrt(2.0 * math.pi)


def expected_gain(mean: Floats, variance: Floats, noise: float, told_mean: Floats, told: Ints | None = None) -> Floats:
    """The knowledge gradient of each configuration, as if it told only about itself.

    What is kept at the end is the configuration with the lowest posterior mean. A
    trial moves a mean by a normal step with standard deviation v / sqrt(v + noise)
    (v the variance of the noise-free value): a gain when a new mean falls below the
    lowest, or when that of the lowest rises above the second. So new trials and
    repeats of old ones are weighed on one scale (Frazier, Powell and Dayanik 2009).

    mean, variance: (m,). told_mean: (n,) posterior means of what was tried. told:
    (m,) the place of each in told_mean, -1 for new ones.
    """
    step = variance / np.sqrt(variance + noise)
    order = np.argsort(told_mean)
    lowest = told_mean[order[0]]
    bar = np.full(len(mean), lowest) - mean
    if told is not None and len(told_mean) > 1:
        bar = np.where(told == order[0], mean - told_mean[order[1]], bar)
    u = bar / np.maximum(step, 1e-12)
    gain: Floats = step * (u * ndtr(u) + np.exp(-0.5 * u * u) / _ROOT)
    return np.maximum(gain, 0.0)
