# SPDX-License-Identifier: Apache-2.0
"""The classical methods: constructed (heuristics, chain, cuts), searched (search), exact (ideals, cp_sat)."""

from .chain import ContiguousSplit
from .cp_sat import CpSat
from .cuts import KaHyParCut, MetisCut, ScotchMap
from .heuristics import HEURISTICS, Heuristic
from .ideals import IdealSplit, contiguous_optimum
from .search import SEARCHES, Search

__all__ = [
    "HEURISTICS",
    "SEARCHES",
    "ContiguousSplit",
    "CpSat",
    "Heuristic",
    "IdealSplit",
    "KaHyParCut",
    "MetisCut",
    "ScotchMap",
    "Search",
    "contiguous_optimum",
]
