# SPDX-License-Identifier: Apache-2.0
"""``trimtab run``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trimtab.core import registry
from trimtab.core.errors import MissingExtra, TrimtabError, Unavailable, UsageError
from trimtab.core.outcome import Run
from trimtab.core.problem import SPLITS

from .options import (
    Interrupted,
    backend_option,
    complete_problem,
    names_option,
    positive,
    suite_option,
    verb,
    whole,
)
from .progress import Progress
from .screen import console, emit, say, show

if TYPE_CHECKING:
    from trimtab.study.results import Results

SEEDS, QUICK_SEEDS = 5, 2


@verb("run")
@click.argument("name", metavar="[PROBLEM]", required=False, shell_complete=complete_problem)
@click.option("--all", "everything", is_flag=True, help="Every problem, one after the other.")
@click.option("--quick", is_flag=True, help="A first look: few instances, few solvers, a small budget.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@suite_option
@names_option("--instances", "Names or patterns. Default: all of the split.")
@names_option("--solvers", "Default: all.", "solvers")
@click.option("--track", type=click.Choice(("policy", "search")), help="Only these.")
@click.option("--reference", default="", help="The solver that others are compared with. Default: the problem's.")
@click.option("--seeds", type=whole(1), help=f"How many. Default: {SEEDS}, with --quick {QUICK_SEEDS}.")
@click.option("--budget", type=whole(1), help="Evaluations of a search. Default: 200, with --quick 30.")
@click.option("--budget-seconds", type=positive("s"), help="Seconds of each solver on each instance.")
@backend_option
@click.option("-j", "--jobs", type=whole(1), default=1, show_default=True, help="Worker processes.")
@click.option("--executor", type=click.Choice(("serial", "processes", "ray")), help="Where the workers are.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: runs/PROBLEM[-SUITE].")
@click.option("--no-report", is_flag=True, help="Print the table, write no HTML.")
def command(name: str | None, everything: bool, out: Path | None, no_report: bool, as_json: bool, **asked: Any) -> int:
    """Compare solvers on a problem's instances: a table, intervals, and one HTML page.

    What is finished is kept in the ledger under --out: the same command resumes, and
    runs again only what failed.
    """
    if everything == (name is not None):
        raise UsageError("name one problem, or give --all.  trimtab list")
    suite = f"-{asked['suite']}" if asked["suite"] else ""
    studies: list[Results] = []
    troubles: dict[str, TrimtabError] = {}
    if name is not None:
        home = out or Path("runs", f"{name}{suite}")
        studies.append(_study(name, home, **asked))
    else:
        home = out or Path("runs")
        for each in registry.names():
            try:
                studies.append(_study(each, home / f"{each}{suite}", **asked))
            except TrimtabError as error:
                troubles[each] = error
                say(f"trimtab: {each}: {error}")
    page = None if no_report or not studies else _report(studies, home)
    if as_json:
        answers = [_as_json(results) for results in studies]
        emit(answers[0] | {"report": page} if name else {"report": page, "studies": answers, "not_run": troubles})
    else:
        _print(studies, page)
    return _exit_code(studies, list(troubles.values()))


def _study(name: str, folder: Path, **asked: Any) -> Results:
    from trimtab.core.task import Budget
    from trimtab.study.study import study

    unlimited = float("inf")
    budget = Budget(asked.pop("budget") or unlimited, asked.pop("budget_seconds") or unlimited)
    seeds = range(asked.pop("seeds") or (QUICK_SEEDS if asked["quick"] else SEEDS))
    executor = asked.pop("executor") or ""
    with Progress(f"run {name}") as progress:

        def report(done: int, total: int, run: Run | None) -> None:
            progress(done, total, f"{run.solver} {run.instance}" if run else "")

        try:
            return study(name, seeds=seeds, budget=budget, executor=executor, ledger=folder, progress=report, **asked)
        except KeyboardInterrupt:
            kept = f"{progress.done} of {progress.total} cells are finished and kept in {folder}"
            raise Interrupted(f"{kept}; the same command goes on from there") from None


def _report(studies: Sequence[Results], folder: Path) -> Path | None:
    from trimtab.study.report import write

    try:
        return write(studies, folder / "report.html")
    except MissingExtra as error:
        say(f"trimtab: no HTML report: {error}")
        return None


def _print(studies: Sequence[Results], page: Path | None) -> None:
    from trimtab.study.report.terminal import render

    out = console()
    for results in studies:
        out.print(render(results, out.width))
        out.print()
        for run in _broken(results)[:3]:
            out.print(f"{run.status}: {run.solver} on {run.instance}, seed {run.seed}: {run.note}")
        out.print(f"ledger: {results.folder}")
    if page:
        show(f"report: {page}")


def _as_json(results: Results) -> dict[str, Any]:
    from trimtab.study.report.words import tracks

    plain = ("problem", "version", "backend", "split", "suite", "reference", "seeds", "budget", "unavailable", "system")
    found = [(results.compare(m.name, track=track), track) for track in tracks(results) for m in results.metrics]
    told = ("solver", "instance", "seed", "status", "note")
    return {
        **{name: getattr(results, name) for name in plain},
        "comparisons": [{"track": track, **asdict(comparison)} for comparison, track in found],
        "cells": len(results.runs),
        "failures": [{name: getattr(run, name) for name in told} for run in _broken(results)],
        "ledger": results.folder,
    }


def _broken(results: Results) -> list[Run]:
    return [run for run in results.runs if run.status in ("failed", "timeout")]


def _exit_code(studies: Sequence[Results], troubles: Sequence[TrimtabError]) -> int:
    """0 where every study has an outcome, 3 where what lacks one lacks something optional, else 1."""
    empty = [results for results in studies if not any(run.status == "ok" for run in results.runs)]
    codes = [error.exit_code for error in troubles]
    codes += [Unavailable.exit_code if not _broken(results) else TrimtabError.exit_code for results in empty]
    return codes[0] if len(set(codes)) == 1 else int(bool(codes))
