# SPDX-License-Identifier: Apache-2.0
"""``trimtab solve``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from trimtab.core import registry
from trimtab.core.errors import InvalidInstance, UnknownName, UsageError
from trimtab.core.problem import Metric, Problem, Rendering

from .inputs import INPUT, OwnOptions, named_parts, placed
from .options import Interrupted, backend_option, names_option, positive, problem_argument, seed_option, verb, whole
from .progress import Progress
from .screen import emit, jsonable, number, show, table, write_files

if TYPE_CHECKING:
    from .attempts import Attempt


_MANY: Final = 100  # parts of an input that are decided without having been named


@dataclass(frozen=True)
class Answer:
    """What is said of one instance."""

    instance: str
    attempts: Sequence[Attempt]  # the best first
    rendering: Rendering | None  # of the best
    files: Sequence[Path] = ()  # written


@verb("solve", cls=OwnOptions)
@problem_argument
@click.argument("inputs", nargs=-1, required=True, type=INPUT)
@names_option("--solver", "One, or several with commas. Default: all that decide at once.", "solvers")
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file from `train`.")
@click.option(
    "--only",
    "--function",
    "only",
    multiple=True,
    metavar="NAME",
    help="Only this part of the input (a function of a binary, say). Repeatable.",
)
@backend_option
@click.option(
    "--dsn",
    envvar="TRIMTAB_DSN",
    metavar="URL",
    help="Your own running system, such as a database. Or set TRIMTAB_DSN, which `ps` does not show.",
)
@seed_option
@click.option("--seeds", type=whole(1), default=5, show_default=True, help="Draws that a decision is judged on.")
@click.option("--budget", type=whole(1), default=200, show_default=True, help="Evaluations of a search.")
@click.option("--budget-seconds", type=positive("s"), help="Seconds of a search.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Write the best decision into this folder; or, named like one of its files (plan.json), under this name.",
)
def command(
    name: str, inputs: Sequence[Path], solver: tuple[str, ...] | None, policy: Path | None,
    only: tuple[str, ...], dsn: str | None, out: Path | None, as_json: bool, **asked: Any,
) -> None:  # fmt: skip
    """Decide for your own input, in your field's own formats.

    INPUTS are files, or FILE:NAME for a part of one. Every solver that decides at once
    is tried, or those that you name; searches only where named. The best decision is
    shown, and written with --out. Some problems have options of their own:
    trimtab solve PROBLEM --help.
    """
    problem = _at(registry.load(name), dsn)
    own = OwnOptions.taken(problem, asked)
    paths, parts = named_parts(inputs)
    instances = _only(_parse(problem, paths, own), (*only, *parts))
    try:
        answers = _answers(problem, instances, solver, policy, **asked)
    except KeyboardInterrupt:
        raise Interrupted("nothing was written; the same command starts again") from None
    if out is not None:
        answers = _write(out, answers)
    if as_json:
        emit({"problem": name, "instances": [_as_json(problem, answer) for answer in answers]})
    else:
        for answer in answers:
            _print(problem.metrics, answer)


def _at(problem: Problem[Any, Any], dsn: str | None) -> Problem[Any, Any]:
    """The problem itself, or on the user's own running system."""
    if not dsn:
        return problem
    if problem.at is None:
        raise UsageError(f"the problem {problem.name!r} deploys to no running system (--dsn)")
    return problem.at(dsn)


def _parse(problem: Problem[Any, Any], inputs: Sequence[Path], own: Mapping[str, Any]) -> Mapping[str, Any]:
    if problem.parse is None:
        raise UsageError(f"the problem {problem.name!r} reads no files")
    instances = problem.parse(inputs, **own)
    if not instances:
        raise InvalidInstance(f"nothing to decide in {', '.join(map(str, inputs))}")
    return instances


def _only(instances: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """The instances of these names, whole or behind the last colon; all of them where none is named."""
    if not names:
        if len(instances) > _MANY:
            some = ", ".join(key.rpartition(":")[2] for key in list(instances)[:5])
            raise UsageError(f"the input has {len(instances)} parts ({some}, ...): choose with --only NAME")
        return instances
    by_name = {key.rpartition(":")[2]: key for key in reversed(list(instances))} | {key: key for key in instances}
    for name in names:
        if name not in by_name:
            raise UnknownName("part of the input", name, by_name)
    return {by_name[name]: instances[by_name[name]] for name in names}


def _answers(
    problem: Problem[Any, Any],
    instances: Mapping[str, Any],
    names: tuple[str, ...] | None,
    policy: Path | None,
    *,
    backend: str,
    seed: int,
    seeds: int,
    budget: int,
    budget_seconds: float | None,
) -> list[Answer]:
    from trimtab.core.task import Budget

    from .attempts import attempt, best_first, candidates, complain

    answers: list[Answer] = []
    judge = problem.backend(backend)
    chosen = candidates(problem, names, policy)
    limit, draws = Budget(budget, budget_seconds or float("inf")), range(seed, seed + seeds)
    with Progress(f"solve {problem.name}") as progress:
        for key, instance in instances.items():
            tried: list[Attempt] = []
            for name, solver in chosen.items():
                progress(len(answers) * len(chosen) + len(tried), len(instances) * len(chosen), f"{name} {key}")
                tried.append(attempt(problem, name, solver, instance, judge, limit, draws))
            complain(key, tried, named=names is not None or policy is not None)
            ordered = best_first(tried, problem.metrics[0])
            rendering = problem.render(instance, ordered[0].decision, judge, seed) if problem.render else None
            answers.append(Answer(key, ordered, rendering))
    return answers


def _write(out: Path, answers: Sequence[Answer]) -> list[Answer]:
    """One instance's files go into the folder itself; those of several into numbered folders below it."""
    digits = len(str(len(answers)))
    written = []
    for i, answer in enumerate(answers, 1):
        plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in answer.instance)
        folder, files = out / f"{i:0{digits}}-{plain}", answer.rendering.files if answer.rendering else {}
        if len(answers) == 1:
            folder, files = placed(out, files)
        paths = write_files(folder, files) if answer.rendering else ()
        written.append(Answer(answer.instance, answer.attempts, answer.rendering, paths))
    return written


def _as_json(problem: Problem[Any, Any], answer: Answer) -> dict[str, Any]:
    told = ("solver", "metrics", "feasible", "seconds", "evaluations", "note")
    best = answer.attempts[0]
    return {
        "instance": answer.instance,
        "best": best.solver,
        "solvers": [{name: getattr(tried, name) for name in told} for tried in answer.attempts],
        "decision": None if problem.render else jsonable(best.decision),
        "summary": answer.rendering.summary if answer.rendering else "",
        "table": list(answer.rendering.table) if answer.rendering else [],
        "files": list(answer.files),
    }


def _print(metrics: Sequence[Metric], answer: Answer) -> None:
    judged = [m for m in metrics if any(m.name in (tried.metrics or ()) for tried in answer.attempts)]
    columns = [m.name if m.unit == "1" else f"{m.name} [{m.unit}]" for m in judged]
    rows = []
    for tried in answer.attempts:
        known = tried.metrics or {}
        values = [number(known[m.name]) if m.name in known else "" for m in judged]
        rows.append([tried.solver, *values, _note(tried)])
    show(f"\n{answer.instance}")
    show(table(["solver", *columns, ""], rows, right=columns))
    if answer.rendering is None:
        return
    show(f"\n{answer.rendering.summary}")
    if answer.rendering.table:
        heads = list(answer.rendering.table[0])
        show(table(heads, [[_cell(line.get(head, "")) for head in heads] for line in answer.rendering.table]))
    for path in answer.files:
        show(f"written: {path}")
    if answer.rendering.files and not answer.files:
        show(f"--out DIR writes {', '.join(answer.rendering.files)}")


def _note(tried: Attempt) -> str:
    if tried.feasible or not tried.metrics:  # without metrics nothing was judged
        return tried.note
    return f"infeasible. {tried.note}"


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
