# SPDX-License-Identifier: Apache-2.0
"""What a study found: `Results`, and what one comparison of solvers says (`Comparison`, `Row`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trimtab.core.outcome import Run, Track
from trimtab.core.problem import Metric
from trimtab.core.task import Budget

Verdict = Literal["reference", "better", "worse", "not separated", "too few instances"]


@dataclass(frozen=True)
class Row:
    """One solver in one comparison."""

    solver: str
    track: Track
    mean: float  # mean over instances of the seed-averages, in the metric's unit
    instances: int  # with a value
    paired: int  # shared with the reference
    ratio: float  # geometric mean over the paired instances of solver / reference; below 1 is better when minimizing
    low: float  # 95 % t interval on logs
    high: float
    p_value: float  # two-sided paired t test on logs
    p_holm: float  # Holm-adjusted over the solvers of the comparison
    wins: int
    ties: int
    losses: int
    worst_instance: str
    worst_ratio: float
    verdict: Verdict
    needed: int | None  # instances needed to separate, where they are not separated
    failures: int  # cells without a feasible outcome
    fit_s: float  # CPU seconds
    solve_s: float  # mean over the cells, wall seconds
    evaluations: float  # mean over the cells, spent while deciding
    cpu_s: float  # sum over the cells, CPU seconds


@dataclass(frozen=True)
class Comparison:
    """Solvers of one track beside a reference, on one metric."""

    metric: Metric
    reference: str
    rows: tuple[Row, ...]  # best first
    instances: tuple[str, ...]
    table: Mapping[str, Mapping[str, float]]  # solver -> instance -> seed-averaged value


@dataclass(frozen=True)
class Results:
    """Every cell of a study, and the questions one asks of them."""

    problem: str
    question: str
    version: str
    backend: str
    split: str
    suite: str
    metrics: tuple[Metric, ...]
    reference: str
    budget: Budget
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]  # one per cell
    unavailable: Mapping[str, str] = field(default_factory=dict)  # solver -> the reason, with the command that mends it
    system: Mapping[str, Any] = field(default_factory=dict)  # cpu, cores, memory, os, load, python, packages, git, ...
    folder: Path | None = None  # where the ledger is

    def compare(self, metric: str = "", *, reference: str = "", track: Track | None = None) -> Comparison:
        """Rank the solvers of one track; by default on the first metric, against the study's reference."""
        from .comparison import compare

        return compare(self, metric, reference=reference, track=track)

    def solvers(self) -> tuple[str, ...]:
        """Every solver that ran, in order of the comparison."""
        from .comparison import order

        return order(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat mapping per cell, metrics as columns."""
        from .comparison import flatten

        return [flatten(run) for run in self.runs]

    def report(self, path: Path | str) -> Path:
        """Write the self-contained HTML report."""
        from .report import write

        return write(self, Path(path))
