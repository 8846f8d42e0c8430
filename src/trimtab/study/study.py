# SPDX-License-Identifier: Apache-2.0
"""`study`: run instances x solvers x seeds, and keep what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from trimtab.core import registry
from trimtab.core.fingerprint import fingerprints
from trimtab.core.outcome import Run, Track
from trimtab.core.problem import Problem
from trimtab.core.task import Budget

from . import choices
from . import ledger as ledgers
from .cell import Setting
from .executor import Executor, default_executor, make_executor
from .files import write_json
from .plan import Cell, Plan
from .results import Results
from .system import describe

#: Called with (cells done, cells in all, the row just finished or None at the start).
Progress = Callable[[int, int, Run | None], None]

UNLIMITED = Budget()


def study(
    problem: str | Problem[Any, Any],
    *,
    split: str = "test",
    suite: str = "",
    solvers: Sequence[str] | None = None,
    instances: Sequence[str] | Mapping[str, Any] | None = None,
    seeds: Iterable[int] = (0,),
    backend: str = "",
    budget: Budget = UNLIMITED,
    track: Track | None = None,
    jobs: int = 1,
    executor: str = "",
    ledger: Path | str | None = None,
    reference: str = "",
    quick: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Compare solvers on the same instances, with the same seeds, at the same budget.

    `solvers` are names, by default all of the problem's (of one `track`, where
    given); `instances` are names or patterns (``"batch-*"``) of the split, or a
    mapping of your own. A solver that can't run here, or breaks, is a row with
    a status and a reason. With a `ledger` folder what is finished is kept: the
    same call resumes, and only failed cells are tried again.

    Solvers that search get 200 evaluations unless `budget` says otherwise. A
    backend that times the real system runs its cells one at a time, whatever
    `jobs` says. `executor` is "serial", "processes" or "ray"; it does not
    change any result.
    """
    if isinstance(problem, str):
        problem = registry.load(problem)
    split = choices.OWN if isinstance(instances, Mapping) else split
    chosen = choices.choose_instances(problem, split, suite, instances, quick)
    candidates = choices.choose_candidates(problem, solvers, quick, track)
    entrants = tuple(candidate.entrant for candidate in candidates)
    prints = fingerprints(chosen)
    if split != "train":
        choices.refuse_leakage(prints, candidates)
    plan = Plan(
        problem=problem.name,
        question=problem.question,
        version=problem.version,
        backend=backend or problem.default_backend,
        split=split,
        suite=suite,
        metrics=problem.metrics,
        reference=choices.choose_reference(problem, reference, entrants),
        budget=choices.choose_budget(budget, entrants, quick),
        seeds=choices.choose_seeds(seeds),
        entrants=entrants,
        instances=prints,
    )
    if getattr(problem.backend(plan.backend), "exclusive", False):
        jobs, executor = 1, "serial"
    folder = None if ledger is None else Path(ledger)
    setting = Setting(problem, plan.version, plan.backend, split, suite, plan.budget, folder, chosen)
    system = describe() | {"jobs": jobs, "executor": executor or default_executor(jobs)}
    return Results.of(plan, _run(plan, setting, system, make_executor(executor, jobs), progress), system, folder)


def _run(
    plan: Plan, setting: Setting, system: Mapping[str, Any], executor: Executor, progress: Progress | None
) -> Mapping[str, Run]:
    """Every cell's row by key: what the ledger has, what can't run here, and what is run now."""
    cells = {cell.key: cell for cell in plan.cells()}
    runs: dict[str, Run] = {}
    if setting.folder is not None:
        known = ledgers.read(setting.folder)
        runs |= {key: known[key] for key in cells if key in known and known[key].status in ledgers.FINISHED}
        write_json(setting.folder / "study.json", plan.to_json())
        write_json(setting.folder / "system.json", system)
    runs |= _unavailable(plan, setting, [cell for key, cell in cells.items() if key not in runs])
    waiting = [cell for key, cell in cells.items() if key not in runs]
    report = progress or (lambda done, total, run: None)
    report(len(runs), len(cells), None)
    if waiting:
        with closing(executor.run(setting, waiting)) as finished:
            for run in finished:
                runs[run.key] = run
                report(len(runs), len(cells), run)
    return runs


def _unavailable(plan: Plan, setting: Setting, cells: Sequence[Cell]) -> dict[str, Run]:
    """The rows of solvers that can't be built here."""
    reasons = {entrant.name: entrant.unavailable for entrant in plan.entrants if entrant.unavailable}
    rows = {
        cell.key: setting.row(cell, status="unavailable", note=reasons[cell.solver])
        for cell in cells
        if cell.solver in reasons
    }
    with ledgers.Writer(setting.folder) as writer:
        for row in rows.values():
            writer.write(row)
    return rows
