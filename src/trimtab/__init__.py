# SPDX-License-Identifier: Apache-2.0
"""Computer systems that learn to optimise themselves.

>>> import trimtab
>>> results = trimtab.study("cluster_scheduling", seeds=range(3), quick=True)
>>> results.report("report.html")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .core.backend import Backend as Backend
    from .core.backend import Rollout as Rollout
    from .core.errors import BudgetSpent as BudgetSpent
    from .core.errors import InvalidInstance as InvalidInstance
    from .core.errors import TrimtabError as TrimtabError
    from .core.extras import lazy as lazy
    from .core.extras import need as need
    from .core.extras import need_tool as need_tool
    from .core.fingerprint import fingerprint as fingerprint
    from .core.outcome import Outcome as Outcome
    from .core.outcome import Run as Run
    from .core.problem import Metric as Metric
    from .core.problem import Problem as Problem
    from .core.problem import Rendering as Rendering
    from .core.registry import load as load
    from .core.registry import names as names
    from .core.solver import Learner as Learner
    from .core.solver import Policy as Policy
    from .core.solver import Solver as Solver
    from .core.task import Budget as Budget
    from .core.task import Task as Task
    from .study.results import Comparison as Comparison
    from .study.results import Results as Results
    from .study.study import study as study

_HOME: Final = {
    "Backend": "core.backend",
    "Budget": "core.task",
    "BudgetSpent": "core.errors",
    "Comparison": "study.results",
    "InvalidInstance": "core.errors",
    "Learner": "core.solver",
    "Metric": "core.problem",
    "Outcome": "core.outcome",
    "Policy": "core.solver",
    "Problem": "core.problem",
    "Rendering": "core.problem",
    "Results": "study.results",
    "Rollout": "core.backend",
    "Run": "core.outcome",
    "Solver": "core.solver",
    "Task": "core.task",
    "TrimtabError": "core.errors",
    "fingerprint": "core.fingerprint",
    "lazy": "core.extras",
    "load": "core.registry",
    "names": "core.registry",
    "need": "core.extras",
    "need_tool": "core.extras",
    "study": "",  # the room itself, which can be called
}

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public word when it is first used, so that ``import trimtab`` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'trimtab' has no attribute {name!r}")
    home = _HOME[name]
    return getattr(import_module(f"trimtab.{home}"), name) if home else import_module(f"trimtab.{name}")


def __dir__() -> list[str]:
    return sorted(_HOME)
