# SPDX-License-Identifier: Apache-2.0
"""``trimtab train``"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from trimtab.core import registry
from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.fingerprint import fingerprints
from trimtab.core.problem import Problem
from trimtab.core.solver import Saves

from .options import (
    Interrupted,
    backend_option,
    learner_option,
    positive,
    problem_argument,
    seed_option,
    suite_option,
    verb,
    whole,
)
from .progress import Progress
from .screen import emit, number, say, to_json, write_files


@verb("train")
@problem_argument
@learner_option
@click.option(
    "-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Usually X.safetensors."
)
@suite_option
@backend_option
@seed_option
@click.option("--budget", type=whole(1), help="Evaluations of each training instance.")
@click.option("--budget-seconds", type=positive("s"), help="Seconds in all.")
def command(
    name: str,
    learner: str | None,
    out: Path,
    suite: str,
    backend: str,
    seed: int,
    budget: int | None,
    budget_seconds: float | None,
    as_json: bool,
) -> None:
    """Train a solver on the training split and save it.

    FILE.json beside it says how it was made: command, seed, data, and how it does
    on the validation split. `trimtab solve PROBLEM INPUT --policy FILE` uses it.
    """
    from trimtab.core.task import Budget, Task

    problem = registry.load(name)
    chosen = _choose(problem, learner)
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent} to save into")
    clock, cpu = time.perf_counter(), time.process_time()
    limit = Budget(budget or float("inf"), budget_seconds or float("inf"))
    try:
        with Progress(f"train {chosen}") as progress:
            instances = problem.suite(suite, "train")
            judge, first = problem.backend(backend), problem.metrics[0]
            tasks = [Task(i, judge, limit, seed, metric=first.name, goal=first.goal) for i in instances.values()]
            solver = problem.learner(chosen).fit(tasks)
            progress.text = "validation"
            card = {
                "problem": name,
                "problem_version": problem.version,
                "solver": chosen,
                "command": shlex.join(["trimtab", *sys.argv[1:]]),
                "seed": seed,
                "wall_s": time.perf_counter() - clock,
                "cpu_s": time.process_time() - cpu,
                "evaluations": sum(task.evaluations for task in tasks),
                "trained_on": fingerprints(instances),
                "validation": _validate(problem, solver, suite, backend, seed),
                "versions": {"python": platform.python_version(), "trimtab": version("trimtab")},
            }
            _save(solver, chosen, out, card)
    except KeyboardInterrupt:
        raise Interrupted(f"nothing was written to {out}; the same command starts again") from None
    if as_json:
        emit({"policy": out, **card})
    else:
        _print(out, card)


def _choose(problem: Problem[Any, Any], learner: str | None) -> str:
    if not problem.learners:
        raise UsageError(f"the problem {problem.name!r} has nothing to train")
    if learner is None and len(problem.learners) > 1:
        raise UsageError(f"which one? --solver {' | '.join(problem.learners)}")
    return learner or next(iter(problem.learners))


def _validate(problem: Problem[Any, Any], solver: Any, suite: str, backend: str, seed: int) -> dict[str, Any]:
    """Means over the validation split: the trained solver's, and the reference's on the same draws."""
    instances = problem.suite(suite, "validation")
    judge = problem.backend(backend)
    reference = problem.solver(problem.default_reference)
    return {
        "instances": len(instances),
        "metrics": _means(problem, solver, instances.values(), judge, seed),
        "reference": problem.default_reference,
        "reference_metrics": _means(problem, reference, instances.values(), judge, seed),
    }


def _means(
    problem: Problem[Any, Any], solver: Any, instances: Iterable[Any], judge: Any, seed: int
) -> Mapping[str, float]:
    from trimtab.core.task import Budget, Task

    outcomes = [judge.evaluate(i, solver.solve(Task(i, judge, Budget(0), seed)), seed=seed) for i in instances]
    if not outcomes:
        return {}
    told = [m.name for m in problem.metrics if not (m.optional and any(m.name not in o.metrics for o in outcomes))]
    return {name: sum(o.metrics[name] for o in outcomes) / len(outcomes) for name in told}


def _save(solver: Any, name: str, out: Path, card: dict[str, Any]) -> None:
    """The policy and its card, or neither."""
    if not isinstance(solver, Saves):
        raise TrimtabError(f"the solver {name!r} can't be saved: it has no method `save`")
    temporary = out.with_name(f".{os.getpid()}.{out.name}")
    try:
        solver.save(temporary)
        card["sha256"] = hashlib.sha256(temporary.read_bytes()).hexdigest()
        write_files(out.parent, {f"{out.name}.json": to_json(card)})
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _print(out: Path, card: Mapping[str, Any]) -> None:
    checked = card["validation"]
    say(f"trained {card['solver']} in {card['wall_s']:.0f} s on {len(card['trained_on'])} instances; saved as {out}")
    for metric, value in checked["metrics"].items():
        other = checked["reference_metrics"][metric]
        click.echo(
            f"{metric}: {number(value)} on {checked['instances']} validation instances; "
            f"{checked['reference']}: {number(other)}"
        )
