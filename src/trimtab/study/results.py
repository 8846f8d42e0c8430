# SPDX-License-Identifier: Apache-2.0
"""What a study found: `Results`, and what one comparison of solvers says (`Comparison`, `Row`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from trimtab.core.errors import DataError, UsageError
from trimtab.core.outcome import Run, Track
from trimtab.core.problem import Metric
from trimtab.core.task import Budget

if TYPE_CHECKING:
    from .plan import Plan

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
    solve_s: float  # median over the cells, wall seconds
    evaluations: float  # mean over the cells, spent while deciding
    cpu_s: float  # sum over the cells, CPU seconds
    scale: Literal["ratio", "difference"] = "ratio"  # "difference": of means, where a value is not positive


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

    _FROM_PLAN: ClassVar = (
        *("problem", "question", "version", "backend", "split", "suite"),
        *("metrics", "reference", "budget", "seeds"),
    )

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

    @classmethod
    def of(cls, plan: Plan, runs: Mapping[str, Run], system: Mapping[str, Any], folder: Path | None = None) -> Results:
        """The plan's cells among `runs` (by key), in the order instance, seed, solver."""
        found = tuple(
            replace(runs[cell.key], instance=cell.instance, split=plan.split)
            for cell in plan.cells()
            if cell.key in runs
        )
        ran = {run.solver for run in found if run.status != "unavailable"}
        shared = {name: getattr(plan, name) for name in cls._FROM_PLAN}
        unavailable = {run.solver: run.note for run in found if run.solver not in ran}
        return cls(**shared, runs=found, unavailable=unavailable, system=system, folder=folder)

    @classmethod
    def load(cls, folder: Path | str) -> Results:
        """Read a ledger, also one of a study that is not finished. Neither problem nor solvers are imported."""
        from . import ledger
        from .plan import Plan

        folder = Path(folder)
        try:
            plan = Plan.from_json((folder / "study.json").read_bytes())
            system = msgspec.json.decode((folder / "system.json").read_bytes())
        except FileNotFoundError as error:
            raise UsageError(f"{folder}: no study is kept here ({error.filename} is missing)") from error
        except (msgspec.MsgspecError, UsageError, KeyError, AttributeError, TypeError) as error:
            raise DataError(f"{folder}: study.json or system.json is not what a study writes: {error}") from error
        return cls.of(plan, ledger.read(folder), system, folder)

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
        from .ledger import flatten

        return [flatten(run) for run in self.runs]

    def report(self, path: Path | str) -> Path:
        """Write the self-contained HTML report."""
        from .report import write

        return write(self, Path(path))
