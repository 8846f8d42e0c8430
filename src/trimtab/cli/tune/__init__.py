# SPDX-License-Identifier: Apache-2.0
"""``trimtab tune``"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from trimtab.core.errors import MissingExtra, UsageError

from ..options import Interrupted, names_option, seed_option, verb, whole
from ..screen import emit, say, show, table, write_files
from . import amounts

if TYPE_CHECKING:
    from trimtab.problems.runtime_tuning.experience.memory import Hints
    from trimtab.problems.runtime_tuning.system.tuning import Answer

    from .assemble import Job
    from .live import Live

TRIALS: Final = 40  # where neither trials nor a time are given
FOLDER: Final = "runs/tune"
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def _each(
    name: str, read: Callable[[str], Any], about: str, variable: str = "", metavar: str = "NAME=TEXT"
) -> Callable[[Any], Any]:
    words = (name, variable) if variable else (name,)
    return click.option(*words, multiple=True, metavar=metavar, callback=amounts.option(read), help=about)


@verb("tune")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND")
@names_option("--pack", "Knobs of a tool, read from the tool itself: jvm, gcc, postgresql, redis, ...")
@click.option("--all-knobs", is_flag=True, help="All that the tool tells of, not only what tends to matter.")
@click.option("--space", type=_FILE, help="Your own knobs: a short TOML file.")
@click.option("--trials", type=whole(2), help=f"Configurations to try. Default: {TRIALS}, without --budget.")
@click.option(
    "--budget",
    metavar="TIME",
    callback=amounts.option(amounts.seconds),
    help="Such as 10m: of the search and the proof.",
)
@click.option("--objective", default="cpu", show_default=True, help="cpu, wall, rss, or the name of a --metric.")
@click.option("--maximize", is_flag=True, help="More is better.")
@_each("--constraint", amounts.constraint, 'Such as "rss<=1GiB". Repeatable.', metavar="NAME<=AMOUNT")
@_each("--metric", amounts.named, r"A number in the output: 'tps=tps = ([\d.]+)'. Repeatable.", metavar="NAME=REGEX")
@click.option("--equal", multiple=True, metavar="stdout|FILE", help="Must come out as by default. Repeatable.")
@click.option("--exit-code", type=int, default=0, show_default=True, help="What counts as success.")
@_each("--env", amounts.named, "Environment, with {knob} in it. Repeatable.", "environment")
@click.option("--template", multiple=True, type=_FILE, help="A file with {knob} in it, filled in as {run}/ITS-NAME.")
@click.option("--stdin", type=_FILE, help="What the command reads.")
@click.option(
    "--class-archive",
    type=click.Path(dir_okay=False, path_type=Path),
    help="For the JVM: an archive of the program's classes (AppCDS), one more thing to try. Made if not there.",
)
@click.option("--prepare", metavar="COMMAND", help="Run before each run, not measured.")
@click.option(
    "--timeout", metavar="TIME", callback=amounts.option(amounts.seconds), help="Of a run. Default: 10 x the default's."
)
@click.option("--shell", is_flag=True, help="COMMAND is one text for sh -c; values come quoted.")
@click.option(
    "--compare",
    default="default",
    show_default=True,
    metavar="default|FILE",
    help="What the proof is against: or a best.json.",
)
@click.option(
    "--experience/--no-experience",
    default=True,
    show_default=True,
    help="Begin with what other programs with the same knobs took, where trimtab has recorded some.",
)
@click.option("--safe", is_flag=True, help="Stay near the default, where nothing much worse is expected.")
@click.option("--minimize-diff", is_flag=True, help="Then the smallest change that keeps the gain.")
@click.option(
    "-j", "--jobs", type=whole(1), default=1, show_default=True, help="Trials at a time, each pinned to a core."
)
@click.option(
    "--executor",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="ray: on the machines of RAY_ADDRESS.",
)
@seed_option
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help=f"Folder of the run. Default: {FOLDER}.")
@click.option(
    "--resume",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Go on with the run of a folder; nothing else is needed.",
)
def command(words: tuple[str, ...], resume: Path | None, out: Path | None, as_json: bool, **asked: Any) -> None:
    """Tune any command, and say whether the gain is real.

    \b
      trimtab tune --pack jvm --budget 10m -- java {jvm} -jar app.jar
      trimtab tune --space my.toml --trials 60 -- ./prog --level {level}

    The default is run again and again as a control, and the answer is that of a fresh
    comparison in pairs. All is kept as it comes: Ctrl-C loses at most a trial, and
    --resume goes on.
    """
    if resume is not None:
        if words or out:
            raise UsageError("--resume stands alone: the folder knows its command. To change that, begin anew (--out).")
        out, words, asked = _recall(resume)
    from .assemble import job

    folder = out or Path(FOLDER)
    made = job(words, asked)
    answer, live = _tune(folder, made, words, asked)
    files = _write(folder, made, answer, live)
    if as_json:
        from .telling import as_json as told

        emit(told(made, answer, live.crowded, files))
    else:
        _print(made, answer, live, files)


def _recall(folder: Path) -> tuple[Path, tuple[str, ...], dict[str, Any]]:
    """What was asked in a folder; this process then is where that was asked."""
    from .home import recall

    started, words, asked = recall(folder)
    folder = folder.resolve()
    try:
        os.chdir(started)
    except OSError as error:
        raise UsageError(f"that run was started in {started}: {error.strerror}") from None
    return folder, tuple(words), asked


def _tune(folder: Path, job: Job, words: tuple[str, ...], asked: dict[str, Any]) -> tuple[Answer, Live]:
    from trimtab.problems.runtime_tuning.optimiser import Tuner
    from trimtab.problems.runtime_tuning.system.tuning import Plan, Tuning

    from .home import begin
    from .live import Live
    from .meters import meters

    unlimited = float("inf")
    trials = asked["trials"] or (unlimited if asked["budget"] else TRIALS)
    seconds = asked["budget"] or unlimited
    reference = _reference(asked["compare"], job)
    hints = _experience(job) if asked.get("experience", False) else None
    name = " ".join(["trimtab", *["safe"] * asked["safe"], *["experienced"] * (hints is not None)])
    plan = Plan(trials, seconds, minimise=asked["minimize_diff"], reference=reference)
    tuner = Tuner(
        job.command.space, job.objective, seed=asked["seed"], safe=asked["safe"],
        budget=int(trials) if trials < unlimited else None, hints=hints,
    )  # fmt: skip
    with ExitStack() as stack:
        live = Live(job, trials, seconds)
        try:
            journal = stack.enter_context(begin(folder, job, name, words, asked))
            made = stack.enter_context(
                meters(job.command, journal, asked["jobs"], asked["executor"], timeout=asked["timeout"] is not None)
            )
            stack.enter_context(live)
            return Tuning(job.command.space, job.objective, tuner, made, journal, asked["seed"], plan, live).run(), live
        except KeyboardInterrupt:
            raise Interrupted(
                f"every finished trial is kept in {folder}.  Go on: trimtab tune --resume {folder}"
            ) from None


def _experience(job: Job) -> Hints | None:
    """What recorded programs tell of the knobs; says so."""
    from trimtab.problems.runtime_tuning.experience.memory import SHIPPED, Memory

    try:
        hints = Memory.load(SHIPPED).hints(job.command.space)
    except MissingExtra as error:
        say(f"trimtab: begins without experience: {error}")
        return None
    if hints is not None and job.objective.metric in ("cpu", "wall") and job.objective.goal == "minimize":
        say(f"trimtab: knows what these knobs did to {', '.join(hints.names)}. --no-experience begins without that.")
        return hints
    return None


def _reference(name: str, job: Job) -> dict[str, Any] | None:
    """The configuration that the proof is against; None is the default."""
    if name == "default":
        return None
    from trimtab.problems.runtime_tuning.system.records import restore

    try:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--compare {name}: {error.strerror}. Give 'default', or a best.json") from None
    except ValueError:
        raise UsageError(f"--compare {name}: this is no JSON") from None
    values = found.get("values", found) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise UsageError(f'--compare {name}: not of the form {{"values": {{"knob": value}}}}')
    return restore(job.command.space, {**job.command.space.default, **values})


def _write(folder: Path, job: Job, answer: Answer, live: Live) -> dict[str, Any]:
    from ..screen import to_json
    from .page import write

    told = {"values": dict(answer.values), "command": job.command.show(answer.values), "proved": answer.proved}
    (best,) = write_files(folder, {"best.json": to_json(told)})
    try:
        page = write(folder / "report.html", job, answer, live.crowded)
    except MissingExtra as error:
        say(f"trimtab: no HTML report: {error}")
        return {"folder": folder, "best": best, "report": None}
    return {"folder": folder, "best": best, "report": page}


def _print(job: Job, answer: Answer, live: Live, files: dict[str, Any]) -> None:
    from .picture import spark
    from .telling import headline, knob_rows, notes

    click.echo(headline(job, answer))
    click.echo("")
    click.echo(f"  {job.command.show(answer.values)}")
    click.echo("")
    rows = [
        [
            row["knob"],
            row["default"],
            row["value"] or "–",
            "–" if row["share"] is None else f"{100 * row['share']:.0f} %",
            "–" if row["worth"] is None else f"{row['worth']:+.2f}",
        ]
        for row in knob_rows(job.command.space, answer)
        if row["value"] or (row["share"] or 0.0) >= 0.05
    ]
    if rows:
        columns = ("knob", "default", "best", "share of the spread", "log cost of putting back")
        show(table(columns, rows, right=columns[1:]))
        click.echo("")
    click.echo(f"trials: {spark(answer.session, job.objective)}")
    for note in notes(job, answer, live.crowded):
        click.echo(note)
    click.echo(f"kept in: {files['folder']}")
    if files["report"]:
        click.echo(f"report: {files['report']}")
