# SPDX-License-Identifier: Apache-2.0
"""Learned schedulers: Decima as published, and an index rule found by evolution."""

from __future__ import annotations

from pathlib import Path

from trimtab.core.errors import DataError

from .decima import Decima, DecimaLearner
from .evolved import EvolvedIndex, EvolvedIndexLearner

__all__ = ["Decima", "DecimaLearner", "EvolvedIndex", "EvolvedIndexLearner", "load"]


def load(path: Path) -> Decima | EvolvedIndex:
    """A solver that `trimtab train` saved, whichever it is."""
    troubles = []
    for kind in (EvolvedIndex, Decima):
        try:
            return kind.load(path)
        except DataError as error:
            troubles.append(f"as {kind.__name__}: {error}")
    raise DataError("\n".join(troubles))
