# SPDX-License-Identifier: Apache-2.0
"""What the checks share."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from trimtab.core.outcome import Outcome
from trimtab.core.problem import SPLITS, Metric, Problem
from trimtab.core.task import Budget, Task

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+:-]*")
HEAVY = ("torch", "numba", "scipy", "matplotlib", "pyarrow", "pandas", "sklearn", "ray", "pyspark")


def check_names(where: str, names: Iterable[str]) -> None:
    """Names go on command lines, into lists with commas and into file names."""
    for name in names:
        assert NAME.fullmatch(name), f"{where}: {name!r} is not a name (letters, digits and _ . + : - only)"


def some_instances(problem: Problem[Any, Any], count: int) -> dict[str, Any]:
    """The first few instances of the first split that has any, tests first."""
    for split in reversed(SPLITS):
        found = dict(islice(problem.instances(split).items(), count))
        if found:
            return found
    raise AssertionError(f"{problem.name}: there is no instance in any split")


def check_outcome(where: str, metrics: Sequence[Metric], outcome: Outcome) -> None:
    """The metrics that were declared, all but optional ones, and finite where the decision is feasible."""
    assert isinstance(outcome, Outcome), f"{where}: evaluate returned a {type(outcome).__name__}, not an Outcome"
    declared, optional = {m.name for m in metrics}, {m.name for m in metrics if m.optional}
    reported = set(outcome.metrics)
    assert isinstance(outcome.feasible, bool), f"{where}: feasible is {outcome.feasible!r}, not a bool"
    if not outcome.feasible:
        return
    assert reported | optional == declared, f"{where}: reported {sorted(reported)}, declared {sorted(declared)}"
    for name, value in outcome.metrics.items():
        assert isinstance(value, float | int), f"{where}: {name} is a {type(value).__name__}, not a number"
        assert math.isfinite(value), f"{where}: {name} is {value} for a feasible decision"


def task_for(problem: Problem[Any, Any], instance: Any, backend: Any, *, budget: Budget, seed: int) -> Task[Any, Any]:
    first = problem.metrics[0]
    return Task(instance, backend, budget, seed, metric=first.name, goal=first.goal)


def is_exclusive(backend: Any) -> bool:
    """Whether it times the real system, so that equal seeds need not give equal outcomes."""
    return bool(getattr(backend, "exclusive", False))


def ask_fresh_process(code: str) -> Mapping[str, Any]:
    """Run `code` in a fresh interpreter; what it prints last must be JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"in a fresh process:\n{done.stderr}"
    answer: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
