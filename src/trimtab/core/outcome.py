# SPDX-License-Identifier: Apache-2.0
"""What came of a decision (`Outcome`), and of a whole cell of a study (`Run`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "infeasible", "timeout", "failed", "unavailable"]
Track = Literal["policy", "search"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a backend says of one decision: values by metric name, in the metrics' units."""

    metrics: Mapping[str, float]
    feasible: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One cell of a study, and one row of its ledger."""

    key: str  # see trimtab.study.ledger.cell_key
    problem: str
    version: str
    backend: str
    split: str
    instance: str
    solver: str
    seed: int
    status: Status
    track: Track
    budget_evaluations: float | None = None  # None: unlimited
    budget_seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0  # spent while deciding
    fit_s: float = 0.0  # CPU seconds
    solve_s: float = 0.0  # wall seconds
    evaluate_s: float = 0.0  # wall seconds of the final, unmetered evaluation
    cpu_s: float = 0.0  # CPU seconds of the cell
    anytime: tuple[tuple[int, float], ...] = ()  # (evaluations, best first metric so far), where a solver searches
    note: str = ""
