# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture cluster_scheduling``: job profiles from a real Spark."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.extras import need, need_tool, tool_version

from ..problem import JobProfile
from . import spark_tpch
from .campaign import Campaign, capture_tpch, tpch_profiles
from .files import card_path, load_card, save_profiles
from .spark_log import read_event_log

_PATH = click.Path(path_type=Path)


def _numbers(kind: type[int] | type[float]) -> Any:
    def convert(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
        try:
            found = tuple(sorted({kind(part) for part in value.split(",")}))
        except ValueError:
            raise click.BadParameter(f"{value!r} is not a list of numbers like 1,2") from None
        if not all(0 < number < 10_000 for number in found):
            raise click.BadParameter(f"{value!r}: each must be above 0 and below 10000")
        return found

    return convert


def _queries(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = spark_tpch.QUERIES if value == "all" else tuple(value.split(","))
    unknown = [name for name in names if name not in spark_tpch.QUERIES]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not one of q1 to q22")
    return names


@dataclass(frozen=True)
class Captured:
    """Profiles that were made, and how."""

    profiles: Sequence[JobProfile]
    card: dict[str, Any]
    runs: int
    skipped: Sequence[str]


@click.command("cluster_scheduling", context_settings={"show_default": True})
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@click.option("--event-log", "logs", multiple=True, type=_PATH, help="Convert this event log. Repeatable.")
@click.option("--scale", "scales", default="0.05,0.1,0.2,0.5,1", callback=_numbers(float), help="TPC-H scale factors.")
@click.option("--levels", default="1,2", callback=_numbers(int), help="Task slots that a job gets.")
@click.option("--queries", default="all", callback=_queries, help="Which of them: q1,q5,...")
@click.option("--repeats", default=3, type=click.IntRange(min=1), help="Runs of each query at each scale and level.")
@click.option("--memory", default="2g", help="Of the Java machine.")
@click.option("--work", default="spark-capture", type=_PATH, help="Where tables and event logs are, and stay.")
@click.option("-o", "--output", default="profiles.npz", type=_PATH, help="The profile file.")
@click.option("--note", "notes", multiple=True, help="What the card shall say of the circumstances. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, and nothing else.")
def command(
    program: tuple[str, ...],
    logs: tuple[Path, ...],
    work: Path,
    output: Path,
    notes: tuple[str, ...],
    as_json: bool,
    **tpch: Any,
) -> None:
    """Make job profiles for the scheduling simulator from a real Spark.

    Without arguments: runs the 22 queries of TPC-H in Spark's local mode and
    records them. With --event-log: converts logs that you have. With -- PROGRAM:
    runs your Spark program with its event log on. Writes the profiles and a card
    beside them; an interrupted capture goes on where it stopped.
    """
    if output.suffix != ".npz":
        raise UsageError(f"--output {output}: the name of a profile file ends in .npz")
    if program and logs:
        raise UsageError("give either --event-log or a program, not both")
    if logs:
        captured = from_logs(logs)
    elif program:
        captured = from_program(program, work.absolute())
    else:
        captured = from_tpch(Campaign(**tpch), work.absolute(), quiet=as_json)
    card = {**captured.card, "captured": f"{datetime.now(UTC):%Y-%m-%d}", "runs": captured.runs}
    card["notes"] = [*card.get("notes", ()), *notes]
    save_profiles(output, captured.profiles, card)
    _say(output, captured, as_json)


def from_logs(logs: Sequence[Path]) -> Captured:
    log = read_event_log(logs)
    card = {"title": "Spark event logs", "logs": [path.name for path in logs]}
    return Captured(log.profiles, card, log.stream.num_jobs, log.skipped)


def from_program(program: Sequence[str], work: Path) -> Captured:
    """Run any program that uses Spark (``spark-submit``, PySpark) with event logging on, and read its new logs."""
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    before = set(logs.iterdir())
    try:
        done = subprocess.run(program, env={**os.environ, "SPARK_CONF_DIR": str(_with_event_log(logs))}, check=False)
    except OSError as error:
        raise UsageError(f"can't run {shlex.join(program)}: {error.strerror}") from error
    if done.returncode:
        raise TrimtabError(f"{shlex.join(program)} ended with {done.returncode}; its event logs are in {logs}")
    new = sorted(path for path in set(logs.iterdir()) - before if path.name[0] != ".")
    if not new:
        raise UsageError(
            f"{shlex.join(program)} wrote no event log: does it start Spark, and leave spark.eventLog alone?"
        )
    log = read_event_log(new)
    card = {"title": "A Spark program", "command": shlex.join(program)}
    return Captured(log.profiles, card, log.stream.num_jobs, log.skipped)


def from_tpch(campaign: Campaign, work: Path, *, quiet: bool) -> Captured:
    """Run what is missing of a campaign, with a live line."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True, quiet=quiet)) as progress:
        bar = progress.add_task("looking at what is there", total=campaign.runs)
        try:
            log = capture_tpch(campaign, work, lambda done, now: progress.update(bar, completed=done, description=now))
        except KeyboardInterrupt:
            progress.console.print(f"what is finished is kept in {work}: the same command goes on from there")
            raise
        progress.update(bar, completed=campaign.runs, description="done")
    return Captured(tpch_profiles(log), _tpch_card(campaign), log.stream.num_jobs, log.skipped)


def _say(output: Path, captured: Captured, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"output": str(output), "skipped": captured.skipped, **load_card(output)}))
        return
    for line in captured.skipped:
        click.echo(f"left out: {line}", err=True)
    kilobytes = round(output.stat().st_size / 1000)
    click.echo(f"{len(captured.profiles)} job profiles from {captured.runs} runs: {output} ({kilobytes} kB)")
    click.echo(f"what they are: {card_path(output)}")


def _with_event_log(logs: Path) -> Path:
    """A Spark configuration folder: the user's defaults, and an event log."""
    given = os.environ.get("SPARK_CONF_DIR") or f"{os.environ.get('SPARK_HOME', '')}/conf"
    defaults = Path(given) / "spark-defaults.conf"
    lines = [defaults.read_text()] if defaults.is_file() else []
    lines += [f"{key.replace('_', '.')} {value}" for key, value in spark_tpch.event_log(logs).items()]
    folder = logs.parent / "conf"
    folder.mkdir(exist_ok=True)
    (folder / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    return folder


def _tpch_card(campaign: Campaign) -> dict[str, Any]:
    scales, levels = (",".join(f"{number:g}" for number in numbers) for numbers in (campaign.scales, campaign.levels))
    command = f"trimtab capture cluster_scheduling --scale {scales} --levels {levels} --repeats {campaign.repeats}"
    queries = "" if campaign.queries == spark_tpch.QUERIES else f" --queries {','.join(campaign.queries)}"
    oversubscribed = [level for level in campaign.levels if level > (os.cpu_count() or 1)]
    return {
        "title": "TPC-H on Spark in local mode",
        "licence": "Apache-2.0",
        "command": f"{command}{queries} --memory {campaign.memory}",
        "scale_factors": campaign.scales,
        "levels": campaign.levels,
        "oversubscribed_levels": oversubscribed,
        "repeats": campaign.repeats,
        "queries": len(campaign.queries),
        "settings": dict(spark_tpch.SETTINGS),
        "machine": machine_card(),
        "notes": [
            "The JVM was warm: one pass over the queries was not recorded.",
            "Each query ran alone. A stage of one task before each group of Spark jobs is the driver's work.",
            "Derived from TPC-H with its validation parameters; not comparable with published TPC results.",
        ],
    }


def machine_card() -> dict[str, Any]:
    """What something was measured on."""
    java = need_tool("java", debian="openjdk-17-jre-headless", purpose="Spark")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": tool_version(java),
        "spark": need("pyspark", extra="spark").__version__,
        "tpchgen-cli": spark_tpch.tpchgen_version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
