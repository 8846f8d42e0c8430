# SPDX-License-Identifier: Apache-2.0
"""``trimtab list``"""

from __future__ import annotations

import os
from typing import Any

from trimtab.core import registry
from trimtab.core.errors import TrimtabError

from .options import verb
from .readiness import install, lacks
from .screen import emit, show, table


@verb("list")
def command(as_json: bool) -> None:
    """Problems, and what is ready here.

    Imports nothing heavy. A problem that can't be loaded is listed with the reason.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing is computed; idle threads cost 0.03 cpu-s to start
    rows = [describe(name) for name in registry.names()]
    if as_json:
        emit(rows)
        return
    show(table(("problem", "question", "solvers", "ready"), [_line(row) for row in rows]))


def describe(name: str) -> dict[str, Any]:
    """One problem in short: counts, and what of it needs something that is not installed."""
    try:
        problem = registry.load(name)
    except TrimtabError as error:
        return {"name": name, "error": str(error)}
    missing: dict[str, list[str]] = {}
    for kind in ("solvers", "learners", "backends"):
        for item, factory in getattr(problem, kind).items():
            if extra := lacks(factory):
                missing.setdefault(extra, []).append(f"{kind[:-1]} {item}")
    return {
        "name": name,
        "question": problem.question,
        "version": problem.version,
        "solvers": len(problem.solvers),
        "learners": len(problem.learners),
        "backends": list(problem.backends),
        "suites": list(problem.suites),
        "missing": missing,
        "install": install(missing) if missing else "",
    }


def _line(row: dict[str, Any]) -> tuple[str, str, str, str]:
    if "error" in row:
        return (row["name"], "", "", row["error"])
    ready = "yes"
    if row["missing"]:
        lacking = sum(len(items) for items in row["missing"].values())
        ready = f"all but {lacking}: {row['install']}"
    trained = f" ({row['learners']} trainable)" if row["learners"] else ""
    return (row["name"], row["question"], f"{row['solvers']}{trained}", ready)
