# SPDX-License-Identifier: Apache-2.0
"""Placements that are learnt, and the search that they warm.

==================  ===================================================================================
`Imitation`         trimtab's own: a graph network that has seen what long searches found, decoded by
                    list scheduling; no simulator calls
`CriticalAnnealing` the search: moves of clusters along critical paths; cold from heuristics' placements,
                    or warm from the network's
`KeptTies`          the network's decoder without the network
`PolicyGradient`    (in `reference`) the networks of 2017, 2018 and 2019, trained on each instance
==================  ===================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .annealing import CriticalAnnealing
from .imitation import Imitation
from .ties import KeptTies

if TYPE_CHECKING:
    from .reference import PolicyGradient
    from .training import ImitationLearner

__all__ = ["CriticalAnnealing", "Imitation", "ImitationLearner", "KeptTies", "PolicyGradient", "load"]


def load(path: Path) -> Imitation:
    """A trained solver from its weights; raises `DataError` for a file that holds none."""
    return Imitation.load(path)


def __getattr__(name: str) -> Any:  # these need torch
    if name == "ImitationLearner":
        from .training import ImitationLearner

        return ImitationLearner
    if name == "PolicyGradient":
        from .reference import PolicyGradient

        return PolicyGradient
    raise AttributeError(name)
