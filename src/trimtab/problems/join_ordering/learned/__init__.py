# SPDX-License-Identifier: Apache-2.0
"""Learned optimisers: corrected row counts for dynamic programming, and DQ."""

from __future__ import annotations

from pathlib import Path

from trimtab.core.errors import DataError

from .correction import Corrected, CorrectedLearner
from .dq import DQ, DQLearner

__all__ = ["DQ", "Corrected", "CorrectedLearner", "DQLearner", "load"]


def load(path: Path) -> Corrected | DQ:
    """A solver that `trimtab train` saved, whichever it is."""
    troubles = []
    for kind in (DQ, Corrected):
        try:
            return kind.load(path)
        except DataError as error:
            troubles.append(f"as {kind.__name__}: {error}")
    raise DataError("\n".join(troubles))
