# SPDX-License-Identifier: Apache-2.0
"""``trimtab show``"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trimtab.core import registry
from trimtab.core.problem import Problem

from .datasets import how_to_get
from .options import problem_argument, verb
from .readiness import install, lacks
from .screen import console, emit, table


@verb("show")
@problem_argument
def command(name: str, as_json: bool) -> None:
    """The card of one problem: what is decided, how it is judged, who decides, and on what."""
    problem = registry.load(name)
    if as_json:
        emit(card(problem))
    else:
        _print(problem)


def card(problem: Problem[Any, Any]) -> dict[str, Any]:
    """Everything that a problem declares, JSON-able."""
    from trimtab.data import list_datasets

    datasets = list_datasets(problem.name)
    return {
        "name": problem.name,
        "question": problem.question,
        "version": problem.version,
        "reference": problem.default_reference,
        "metrics": [{"name": m.name, "unit": m.unit, "goal": m.goal} for m in problem.metrics],
        **{kind: _availability(getattr(problem, kind)) for kind in ("solvers", "learners", "backends")},
        "suites": list(problem.suites),
        "data": {dataset.name: how_to_get(dataset) or "here" for dataset in datasets},
        "reads_files": problem.parse is not None,
        "captures": problem.capture is not None,
        "card": problem.card() if problem.card else "",
    }


def _availability(factories: Mapping[str, Callable[[], Any]]) -> dict[str, str]:
    """Name -> "ready", or the command that makes it so."""
    return {name: install([extra]) if (extra := lacks(factory)) else "ready" for name, factory in factories.items()}


def _print(problem: Problem[Any, Any]) -> None:
    from rich.markdown import Markdown
    from rich.padding import Padding

    facts, out = card(problem), console()
    out.print(Markdown(facts["card"] or f"# {problem.name}\n\n{problem.question}"))
    sections = {
        "Metrics (the first decides)": [(m["name"], f"{m['unit']}, {m['goal']}") for m in facts["metrics"]],
        "Solvers": [
            (n, s + (", the reference" if n == facts["reference"] else "")) for n, s in facts["solvers"].items()
        ],
        "Trainable": list(facts["learners"].items()),
        "Backends": list(facts["backends"].items()),
        "Suites (the shipped instances are the default)": [(suite, "") for suite in facts["suites"]],
        "Public data": list(facts["data"].items()),
    }
    for title, rows in sections.items():
        if rows:
            out.print(f"\n{title}", style="bold")
            made = table(("", ""), rows)
            made.show_header = False
            out.print(Padding(made, (0, 0, 0, 2)))
