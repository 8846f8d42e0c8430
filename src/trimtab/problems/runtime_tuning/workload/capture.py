# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture runtime_tuning``: a program measured under random settings, as a table that replays it."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from trimtab.core.errors import InvalidInstance, UsageError

from ..problem import Target
from ..simulator import Table
from .campaign import Campaign, capture
from .losses import Run, rows

_SUFFIX: Final = ".jsonl.xz"
_FORTNIGHT: Final = 20_000  # minutes


@click.command("runtime_tuning", context_settings={"show_default": True})
@click.argument("what")
@click.option("--runs", default=1500, type=click.IntRange(min=100), help="To measure, the default's included.")
@click.option("--minutes", default=60.0, type=click.FloatRange(min=0.01, max=_FORTNIGHT), help="For this call.")
@click.option("--seed", default=0, help="Of the order of the configurations.")
@click.option(
    "--kill",
    default=4.0,
    type=click.FloatRange(min=1.5),
    help="At so many times the default's time, if that is the objective.",
)
@click.option("--keep", multiple=True, help="A metric besides the objective that a constraint may name. Repeatable.")
@click.option("-o", "--output", default="", help="The table; by default the target's name, .jsonl.xz.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON, and nothing else.")
def command(what: str, output: str, minutes: float, keep: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Measure WHAT under random settings, for optimisers to be compared on.

    WHAT is a file with knobs and a command (my.toml), or one of trimtab's own live
    targets, such as zstd or java-h2. The default is run again every few runs, and each
    result taken as a ratio to it; some configurations are run three times. A capture that
    is interrupted, or whose minutes are over, goes on when the same command is given again.
    """
    target = _target(what)
    path = Path(output or f"{target.name}{_SUFFIX}")
    if not path.name.endswith(_SUFFIX):
        raise UsageError(f"--output {path}: the name of a table ends in {_SUFFIX}")
    campaign = Campaign(target, options["runs"], options["seed"], options["kill"])
    _check_kept(campaign, keep)
    journal = path.with_name(f".{path.name}.partial")
    until = time.monotonic() + 60.0 * minutes
    runs = _measure(campaign, journal, until, quiet=as_json)
    done = len(runs) >= campaign.runs
    try:
        measured = rows(target.space, target.objective, runs, keep)
    except InvalidInstance as error:
        if done:
            raise
        raise UsageError(
            f"{len(runs)} runs so far make no table ({error}); the same command goes on from here"
        ) from error
    Table(target.name, target.space, target.objective, measured, about(campaign)).save(path)
    if done:
        journal.unlink(missing_ok=True)
    _say(path, runs, done, as_json)


def _target(what: str) -> Target:
    path = Path(what)
    if path.suffix == ".toml":
        from ..spacefile import read_target

        return read_target(path)
    from .targets import live

    return live(what)


def _check_kept(campaign: Campaign, keep: tuple[str, ...]) -> None:
    known = ["cpu", "wall", "rss", *campaign.command.metrics]
    for name in keep:
        if name not in known:
            raise UsageError(f"--keep {name}: no such metric. Known: {', '.join(known)}")


def _measure(campaign: Campaign, journal: Path, until: float, *, quiet: bool) -> list[Run]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        bar = progress.add_task(f"measuring {campaign.target.name}", total=campaign.runs)
        try:
            return capture(campaign, journal, until=until, tell=lambda done: progress.update(bar, completed=done))
        except KeyboardInterrupt:
            return capture(campaign, journal, until=0.0)  # what the journal holds


def about(campaign: Campaign) -> dict[str, str]:
    """What a table says of where it comes from."""
    import platform

    return {
        "command": campaign.command.show(campaign.target.space.default),
        "tool": ", ".join(f"{pack.name} {pack.version}" for pack in campaign.command.packs if pack.version),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "date": time.strftime("%Y-%m-%d"),
        "seed": str(campaign.seed),
    }


def _say(path: Path, runs: list[Run], done: bool, as_json: bool) -> None:
    counts = Counter(run.status for run in runs)
    if as_json:
        click.echo(json.dumps({"table": str(path), "runs": len(runs), "status": dict(counts), "complete": done}))
        return
    told = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    click.echo(f"{path}: {len(runs)} runs ({told})")
    if not done:
        click.echo("the same command goes on from here")
