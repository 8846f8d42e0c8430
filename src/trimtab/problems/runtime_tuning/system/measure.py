# SPDX-License-Identifier: Apache-2.0
"""`measure`: a configuration run once, and whether it did its work."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from ..space import Values
from .command import Command
from .run import DEFAULT, Limits, Measured, Runner, describe

_READ: Final = 64 << 20  # B of an output in which metrics are looked for
_TAIL: Final = 2000  # characters of what a failed run said last


@dataclass(frozen=True)
class Reading:
    """What one run of a configuration came to."""

    status: Literal["ok", "censored", "crash", "timeout"]
    metrics: Mapping[str, float] = field(default_factory=dict)  # SI; lower bounds where censored
    seconds: float = 0.0  # wall, with preparation
    note: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)  # of what must be equal
    tail: str = ""  # the last it said, where it failed


class Failed(Exception):
    """A run did not do its work; the message says why."""


def measure(
    command: Command,
    values: Values,
    runner: Runner,
    *,
    limits: Limits = DEFAULT,
    patience: tuple[Literal["cpu", "wall"], float] = ("wall", math.inf),
    digests: Mapping[str, str] | None = None,
) -> Reading:
    """Run a configuration once in a directory of its own, which is gone afterwards.

    A run whose CPU or wall seconds exceed `patience` is killed and `censored`;
    `digests` are of the default's output, which this one's must equal. Only what
    is wrong with the command itself is raised, never what a configuration does.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="trimtab-run-", ignore_cleanup_errors=True) as name:
        run = Path(name)
        try:
            _prepare(command, values, runner, run, limits)
            reading = _measure(command, values, runner, run, _with(limits, command, patience), patience, digests or {})
        except Failed as failure:
            reading = Reading("crash", note=str(failure), tail=_tail(run))
    return replace(reading, seconds=time.perf_counter() - began)


def _with(limits: Limits, command: Command, patience: tuple[str, float]) -> Limits:
    kind, most = patience
    limits = replace(limits, wall=min(limits.wall, command.seconds))
    return replace(limits, cpu=min(limits.cpu, most)) if kind == "cpu" else replace(limits, wall=min(limits.wall, most))


def _prepare(command: Command, values: Values, runner: Runner, run: Path, limits: Limits) -> None:
    for name, text in command.texts(values, run).items():
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    preparation = command.preparation(values, run)
    if preparation is not None:
        done = runner.run(preparation, run, replace(limits, wall=command.seconds))
        if done.code != 0 or done.stopped not in ("", "linger"):
            raise Failed(f"its preparation failed: {describe(done)}")


def _measure(
    command: Command,
    values: Values,
    runner: Runner,
    run: Path,
    limits: Limits,
    patience: tuple[str, float],
    digests: Mapping[str, str],
) -> Reading:
    done = runner.run(command.invocation(values, run), run, limits)
    metrics = {"cpu": done.cpu, "wall": done.wall, "rss": done.rss}
    kind, most = patience
    if done.stopped == kind and getattr(limits, kind) == most:
        return Reading("censored", metrics, note=f"killed after {metrics[kind]:.3g} {kind} s: too slow to win")
    if done.stopped == "wall":
        return Reading("timeout", note=describe(done), tail=_tail(run))
    _check_end(command, done)
    found = {name: _number(name, pattern, run) for name, pattern in command.metrics.items()}
    made = _digests(command, values, run)
    for name, expected in {**digests, **command.digests}.items():
        if name in made and made[name] != expected:
            raise Failed(f"its {name} differs from what the default gives")
    note = "it left processes behind, which were killed" if done.stopped == "linger" else ""
    return Reading("ok", metrics | found, note=note, digests=made)


def _check_end(command: Command, done: Measured) -> None:
    if done.stopped not in ("", "linger"):
        raise Failed(describe(done))
    if done.code != command.exit_code:
        raise Failed(describe(done) or f"exit code 0, not {command.exit_code}")


def _number(name: str, pattern: str, run: Path) -> float:
    """The last match in what was printed, to standard output first."""
    for stream in ("stdout", "stderr"):
        with (run / stream).open(encoding="utf-8", errors="replace") as file:
            matches = list(re.finditer(pattern, file.read(_READ), re.MULTILINE))
        if matches:
            text = matches[-1][1]
            try:
                value = float(text.replace(",", "") if text else "")
            except ValueError:
                raise Failed(f"metric {name!r}: {text!r} is no number") from None
            if not math.isfinite(value):
                raise Failed(f"metric {name!r} is {text}")
            return value
    raise Failed(f"metric {name!r}: nothing printed matches {pattern!r}")


def _digests(command: Command, values: Values, run: Path) -> dict[str, str]:
    paths = {name: run / name for name in command.equal if name in ("stdout", "stderr")}
    found = {}
    for name, path in {**paths, **command.outputs(values, run)}.items():
        try:
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise Failed(f"it wrote no {name}") from None
    return found


def _tail(run: Path) -> str:
    """The end of what it said to standard error, or else to standard output."""
    for stream in ("stderr", "stdout"):
        try:
            with (run / stream).open("rb") as file:
                file.seek(max(0, (run / stream).stat().st_size - _TAIL))
                said = file.read().decode(errors="replace").strip()
        except OSError:
            continue
        if said:
            return said
    return ""
