# SPDX-License-Identifier: Apache-2.0
"""The constants of the optimiser that were chosen by measuring (`runtime_tuning_optimisers.py --settings`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .gp import Prior


@dataclass(frozen=True)
class Settings:
    """One choice of them."""

    start: int = 6  # configurations of the design beside the default
    favourites: int = 3  # of which so many are what was best elsewhere, where something is known (`informed`)
    bold: tuple[float, float] = (1.8, 1.4)  # by which standard deviations are widened, first and last
    prior: Prior = field(default_factory=Prior)  # of the Gaussian process
