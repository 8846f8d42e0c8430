# SPDX-License-Identifier: Apache-2.0
"""One line of a table of throughput predictors: errors with intervals, tau, and how many blocks have an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1000
HEADING = "MAPE %                   median %               tau     within 10 %   answered %"


@dataclass(frozen=True)
class Score:
    """Errors on some blocks, as block_throughput counts them: a block without an answer is an error of 100 %."""

    mape: float  # %
    mape_interval: tuple[float, float]  # 95 %, from resampled blocks
    median: float  # %
    median_interval: tuple[float, float]
    tau: float
    within_10: float  # %
    answered: float  # %

    def __str__(self) -> str:
        return (
            f"{self.mape:6.2f} [{self.mape_interval[0]:6.2f}, {self.mape_interval[1]:6.2f}]  "
            f"{self.median:6.2f} [{self.median_interval[0]:5.2f}, {self.median_interval[1]:5.2f}]  {self.tau:.3f}   "
            f"{self.within_10:5.1f}         {self.answered:5.1f}"
        )


def score(predicted: Floats, cycles: Floats) -> Score:
    from scipy.stats import kendalltau

    answered = np.isfinite(predicted)
    predicted = np.where(answered, predicted, 0.0)
    error = 100 * np.abs(predicted / cycles - 1)
    rng = np.random.default_rng(0)
    draws = [error[rng.integers(0, len(error), len(error))] for _ in range(RESAMPLES)]
    return Score(
        mape=float(error.mean()),
        mape_interval=_interval([float(draw.mean()) for draw in draws]),
        median=float(np.median(error)),
        median_interval=_interval([float(np.median(draw)) for draw in draws]),
        tau=float(kendalltau(predicted, cycles).statistic),
        within_10=100 * float((error <= 10).mean()),
        answered=100 * float(answered.mean()),
    )


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
