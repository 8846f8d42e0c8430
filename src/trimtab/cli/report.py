# SPDX-License-Identifier: Apache-2.0
"""``trimtab report``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from .options import verb
from .screen import emit, show


@verb("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
def command(runs: Sequence[Path], out: Path, as_json: bool) -> None:
    """One HTML page from the ledgers of finished runs, or of runs that are still going on.

    RUNS are folders that `trimtab run` wrote, or folders of such folders.
    """
    from trimtab.study.report import write
    from trimtab.study.results import Results

    studies = [Results.load(folder) for given in runs for folder in _ledgers(given)]
    page = write(studies, out)
    if as_json:
        emit(
            {
                "report": page,
                "studies": [{"problem": s.problem, "ledger": s.folder, "cells": len(s.runs)} for s in studies],
            }
        )
    else:
        show(f"report: {page}")


def _ledgers(folder: Path) -> list[Path]:
    inside = sorted(path.parent for path in folder.glob("*/study.json"))
    return inside if inside and not (folder / "study.json").exists() else [folder]
