# SPDX-License-Identifier: Apache-2.0
"""``trimtab solve``"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from trimtab.core import registry
from trimtab.core.errors import InvalidInstance, TrimtabError, Unavailable, UsageError
from trimtab.core.outcome import Outcome
from trimtab.core.problem import Problem, Rendering

from .options import Interrupted, backend_option, names_option, positive, problem_argument, seed_option, verb, whole
from .progress import Progress
from .screen import emit, jsonable, number, show, table, write_files


@dataclass(frozen=True)
class Attempt:
    """What one solver did with one instance."""

    solver: str
    decision: Any = None
    outcome: Outcome | None = None
    seconds: float = 0.0  # deciding
    evaluations: int = 0
    trouble: str = ""


@verb("solve")
@problem_argument
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@names_option("--solver", "One, or several with commas. Default: all that decide at once.", "solvers")
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file from `train`.")
@backend_option
@seed_option
@click.option("--budget", type=whole(1), default=200, show_default=True, help="Evaluations of a search.")
@click.option("--budget-seconds", type=positive("s"), help="Seconds of a search.")
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), help="Write the best decision here.")
def command(
    name: str,
    inputs: Sequence[Path],
    solver: tuple[str, ...] | None,
    policy: Path | None,
    backend: str,
    seed: int,
    budget: int,
    budget_seconds: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Decide for your own input, in your field's own formats.

    Every solver that decides at once is tried, or those that you name; searches only
    where named. The best decision is shown, and written with --out.
    """
    from trimtab.core.task import Budget

    problem = registry.load(name)
    instances = _parse(problem, inputs)
    judge = problem.backend(backend)
    chosen = _candidates(problem, solver, policy)
    limit = Budget(budget, budget_seconds or float("inf"))
    attempts: dict[str, list[Attempt]] = {key: [] for key in instances}
    try:
        with Progress(f"solve {name}") as progress:
            for done, (key, name_) in enumerate((key, name_) for key in instances for name_ in chosen):
                progress(done, len(instances) * len(chosen), name_)
                attempts[key].append(_attempt(problem, chosen[name_], name_, instances[key], judge, limit, seed))
    except KeyboardInterrupt:
        raise Interrupted("nothing was written; the same command starts again") from None
    _complain_if_nothing(attempts, explicit=solver is not None or policy is not None)
    report = [_conclude(problem, key, instances[key], tried, judge, seed) for key, tried in attempts.items()]
    written = _write(out, report) if out else {}
    if as_json:
        emit({"problem": name, "instances": [_as_json(problem, item, written) for item in report]})
    else:
        _print(problem, report, written, out)


@dataclass(frozen=True)
class Conclusion:
    instance: str
    attempts: Sequence[Attempt]  # the best first
    rendering: Rendering | None


def _parse(problem: Problem[Any, Any], inputs: Sequence[Path]) -> Mapping[str, Any]:
    if problem.parse is None:
        raise UsageError(f"the problem {problem.name!r} reads no files")
    instances = problem.parse(inputs)
    if not instances:
        raise InvalidInstance(f"nothing to decide in {', '.join(map(str, inputs))}")
    return instances


def _candidates(
    problem: Problem[Any, Any], solvers: tuple[str, ...] | None, policy: Path | None
) -> dict[str, Any | Unavailable]:
    """Solvers by name, or why one is not available. By default all that never evaluate."""
    found: dict[str, Any | Unavailable] = {}
    if policy is not None:
        if problem.load is None:
            raise UsageError(f"the problem {problem.name!r} loads no saved solvers (--policy)")
        found[policy.stem] = problem.load(policy)
    if policy is None or solvers:
        for name in solvers or problem.solvers:
            try:
                solver = problem.solver(name)
            except Unavailable as error:
                found[name] = error
                continue
            if solvers or getattr(solver, "track", "policy") == "policy":
                found[name] = solver
    return found


def _attempt(
    problem: Problem[Any, Any], solver: Any, name: str, instance: Any, judge: Any, limit: Any, seed: int
) -> Attempt:
    from trimtab.core.task import Task

    if isinstance(solver, Unavailable):
        return Attempt(name, trouble=str(solver))
    first = problem.metrics[0]
    task = Task(instance, judge, limit, seed, metric=first.name, goal=first.goal)
    started = time.perf_counter()
    try:
        decision = solver.solve(task)
        seconds = time.perf_counter() - started
        outcome = judge.evaluate(instance, decision, seed=seed)
    except InvalidInstance:
        raise
    except TrimtabError as error:
        return Attempt(name, trouble=str(error))
    return Attempt(name, decision, outcome, seconds, task.evaluations, outcome.note)


def _complain_if_nothing(attempts: Mapping[str, Sequence[Attempt]], *, explicit: bool) -> None:
    """Where no solver decided, that is an error; where a named one did not, so it is."""
    for key, tried in attempts.items():
        failed = [a for a in tried if a.outcome is None]
        if failed and (explicit or len(failed) == len(tried)):
            raise Unavailable("\n".join(f"{key}: {a.solver}: {a.trouble}" for a in failed))


def _conclude(
    problem: Problem[Any, Any], key: str, instance: Any, tried: Sequence[Attempt], judge: Any, seed: int
) -> Conclusion:
    metric = problem.metrics[0]
    sign = 1 if metric.goal == "minimize" else -1

    def rank(attempt: Attempt) -> tuple[bool, bool, float]:
        if attempt.outcome is None:
            return (True, True, 0.0)
        return (False, not attempt.outcome.feasible, sign * attempt.outcome.metrics[metric.name])

    ordered = sorted(tried, key=rank)
    rendering = problem.render(instance, ordered[0].decision, judge, seed) if problem.render else None
    return Conclusion(key, ordered, rendering)


def _write(out: Path, report: Sequence[Conclusion]) -> dict[str, list[Path]]:
    several = len(report) > 1
    written = {}
    for number_, item in enumerate(report, 1):
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in item.instance)
        folder = out / f"{number_:0{len(str(len(report)))}}-{safe}" if several else out
        written[item.instance] = write_files(folder, item.rendering.files) if item.rendering else []
    return written


def _as_json(problem: Problem[Any, Any], item: Conclusion, written: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    best = item.attempts[0]
    return {
        "instance": item.instance,
        "best": best.solver,
        "solvers": [
            {
                "solver": a.solver,
                "metrics": dict(a.outcome.metrics) if a.outcome else None,
                "feasible": a.outcome.feasible if a.outcome else None,
                "evaluations": a.evaluations,
                "seconds": a.seconds,
                "note": a.trouble,
            }
            for a in item.attempts
        ],
        "decision": None if problem.render else jsonable(best.decision),
        "summary": item.rendering.summary if item.rendering else "",
        "table": list(item.rendering.table) if item.rendering else [],
        "files": list(written.get(item.instance, ())),
    }


def _print(
    problem: Problem[Any, Any], report: Sequence[Conclusion], written: Mapping[str, Sequence[Path]], out: Path | None
) -> None:
    names = [f"{m.name} [{m.unit}]" if m.unit != "1" else m.name for m in problem.metrics]
    for item in report:
        rows = []
        for a in item.attempts:
            values = [number(a.outcome.metrics[m.name]) if a.outcome else "" for m in problem.metrics]
            infeasible = "" if a.outcome is None or a.outcome.feasible else "infeasible. "
            rows.append([a.solver, *values, infeasible + a.trouble])
        show(f"\n{item.instance}")
        show(table(["solver", *names, ""], rows, right=names))
        if item.rendering:
            show("\n" + item.rendering.summary)
            if item.rendering.table:
                columns = list(item.rendering.table[0])
                cells = [[_cell(line.get(c, "")) for c in columns] for line in item.rendering.table]
                show(table(columns, cells))
        for path in written.get(item.instance, ()):
            show(f"written: {path}")
        if item.rendering and item.rendering.files and out is None:
            show(f"--out DIR writes {', '.join(item.rendering.files)}")


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
