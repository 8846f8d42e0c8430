# SPDX-License-Identifier: Apache-2.0
"""Cost models, compiled, and exact dynamic programming over them.

>>> plan, cost = optimum(query)
>>> plan_cost(query, plan, "pg_like")

Needs numba (extra ``fast``). The first call in a new installation compiles for
some ten seconds; the result is kept on disk.
"""

from __future__ import annotations

from .backend import Simulator, ratio
from .dp import Table
from .pack import Graph, pack, pack_with
from .plans import operator_features, optimum, plan_cost, plan_costs

__all__ = [
    "Graph",
    "Simulator",
    "Table",
    "operator_features",
    "optimum",
    "pack",
    "pack_with",
    "plan_cost",
    "plan_costs",
    "ratio",
]
