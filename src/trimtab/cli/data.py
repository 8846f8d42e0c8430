# SPDX-License-Identifier: Apache-2.0
"""``trimtab data``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from trimtab.core.errors import MissingData, TrimtabError

from .datasets import absent, how_to_get
from .options import Interrupted, debug_option, verb
from .progress import Progress
from .screen import emit, say, show, size, table

if TYPE_CHECKING:
    from trimtab.data import Dataset, File, Imported


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from trimtab.data import list_datasets

    return [CompletionItem(d.name) for d in list_datasets() if d.name.startswith(incomplete)]


names_argument = click.argument("names", metavar="[DATASET]...", nargs=-1, shell_complete=_complete)


class InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group("data", cls=InOrder, params=[debug_option])
def command() -> None:
    """List, fetch, verify, import and export data sets.

    They are looked for in the folders of TRIMTAB_DATA, then in the cache. Only
    `fetch` downloads, and nothing is used whose sha256 is not that of its card.
    """


@verb("list", command)
def list_(as_json: bool) -> None:
    """Data sets of trimtab and its plugins, and which are here."""
    from trimtab.data import list_datasets

    rows = [_describe(dataset) for dataset in list_datasets()]
    if as_json:
        emit(rows)
        return
    cells = [(r["name"], size(r["size"]), f"{r['here']}/{len(r['files'])}", r["get"], r["licence"]) for r in rows]
    show(table(("data set", "size", "here", "", "licence"), cells, right=("size",)))


@verb("fetch", command)
@names_argument
def fetch(names: Sequence[str], as_json: bool) -> None:
    """Download data sets into the cache.

    By default all that somebody publishes. A broken download goes on where it ended.
    """
    from trimtab.data import fetch as fetch_one
    from trimtab.data import list_datasets

    wanted = names or [d.name for d in list_datasets() if any(file.sources for file in d.files)]
    paths: dict[str, Sequence[Path]] = {}
    try:
        for name in wanted:
            with Progress(f"fetch {name}", unit="B") as progress:

                def report(file: File, received: int, progress: Progress = progress) -> None:
                    progress(received, file.size, file.name)

                paths[name] = fetch_one(name, progress=report)
    except KeyboardInterrupt:
        raise Interrupted("what was downloaded is kept; the same command goes on from there") from None
    if as_json:
        emit(paths)
    else:
        for path in (path for found in paths.values() for path in found):
            show(str(path))


@verb("verify", command)
@names_argument
def verify(names: Sequence[str], as_json: bool) -> int:
    """Read files again and compare them with their cards.

    By default those of every data set. Exit code 1 where a file is wrong, 3 where one that you name is missing.
    """
    from trimtab.data import list_datasets
    from trimtab.data import verify as verify_one

    with Progress("verify") as progress:
        findings = []
        wanted = names or [dataset.name for dataset in list_datasets()]
        for done, name in enumerate(wanted):
            progress(done, len(wanted), name)
            findings += [{"dataset": name, **asdict(finding)} for finding in verify_one(name)]
    if as_json:
        emit(findings)
    else:
        rows = [(f["status"], f["dataset"], f["file"], str(f["path"] or "")) for f in findings]
        show(table(("", "data set", "file", "where"), rows))
    states = {finding["status"] for finding in findings}
    if "wrong" in states:
        return TrimtabError.exit_code
    return MissingData.exit_code if names and "missing" in states else 0


@verb("import", command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def import_(paths: Sequence[Path], as_json: bool) -> None:
    """Copy files that you have into the cache.

    They are recognised by their contents, whatever their names; of a folder, all that is in it.
    """
    from trimtab.data import import_path

    with Progress("import") as progress:
        found: list[Imported] = []
        for done, path in enumerate(paths):
            progress(done, len(paths), str(path))
            found += import_path(path)
    if as_json:
        emit([asdict(item) for item in found])
    else:
        for item in found:
            show(f"{item.dataset}: {item.path}")


@verb("export", command)
@click.argument("name", metavar="DATASET", shell_complete=_complete)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(name: str, folder: Path, as_json: bool) -> None:
    """Write a folder with a data set and its card (Croissant)."""
    from trimtab.data import export as export_one

    written = export_one(name, folder)
    if as_json:
        emit({"dataset": name, "folder": written})
    else:
        say(f"written: {written}")


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "version": dataset.version,
        "description": dataset.description,
        "licence": dataset.licence,
        "size": dataset.size,
        "files": [file.name for file in dataset.files],
        "here": len(dataset.files) - len(absent(dataset)),
        "get": how_to_get(dataset),
    }
