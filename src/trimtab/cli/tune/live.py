# SPDX-License-Identifier: Apache-2.0
"""Tuning while it goes on: the last trials, the best yet with its interval, the budget. On standard error."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from trimtab.problems.runtime_tuning.problem import Trial
from trimtab.problems.runtime_tuning.system import machine
from trimtab.problems.runtime_tuning.system.pairs import Interval, Turn
from trimtab.problems.runtime_tuning.system.session import Row, Session
from trimtab.problems.runtime_tuning.system.tuning import Listener

from ..progress import EVERY_S, QUIET_S
from ..screen import say, table
from .assemble import Job
from .telling import ratio, ratios, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as Screen

SHOWN: Final = 8  # trials
STAGES: Final = {
    "search": "searching",
    "finals": "running the best again",
    "minimising": "leaving out what is not needed",
    "proof": "proving it",
}


class Live(Listener):
    """A listener that shows. Use as a context manager."""

    def __init__(self, job: Job, trials: float, seconds: float) -> None:
        super().__init__(self._row, self._turn, self._stage)
        self.crowded: list[float] = []  # loads that exceeded the cores
        self._job, self._trials, self._seconds = job, trials, seconds
        self._session: Session | None = None
        self._doing, self._wanted, self._pairs = "starting", 0, list[float]()
        self._spoke = time.monotonic() + QUIET_S - EVERY_S
        self._screen = _screen() if sys.stderr.isatty() else None

    def __enter__(self) -> Live:
        if self._screen:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen:
            self._screen.stop()

    def _row(self, session: Session, row: Row) -> None:
        self._session = session
        if machine.is_crowded(row.load):
            if not self.crowded:
                busy = f"load {row.load:.1f} on {machine.cores()} cores"
                say(f"trimtab: {busy}: something else is running, and the times suffer")
            self.crowded.append(row.load)
        self._show()

    def _stage(self, stage: str, rounds: int) -> None:
        self._doing, self._wanted, self._pairs = STAGES.get(stage, stage), rounds, []
        self._show()

    def _turn(self, stage: str, turn: Turn) -> None:
        if {"default", "best"} <= set(turn.losses):
            self._pairs.append(turn.losses["best"] - turn.losses["default"])
        self._show()

    def line(self) -> str:
        """Where it is: what it does, trials, seconds, the best yet."""
        session = self._session
        parts = [f"tune: {self._doing}"]
        if session is not None:
            most = f" of {self._trials:.0f}" if math.isfinite(self._trials) else ""
            budget = f" of {self._seconds:.0f}" if math.isfinite(self._seconds) else ""
            parts += [f"{session.trials}{most} trials, {session.spent:.0f}{budget} s", self._best(session)]
        if len(self._pairs) > 1:
            middle, low, high = ratios(Interval.of(self._pairs), self._job.objective)
            parts.append(f"{len(self._pairs)} of {self._wanted} pairs: {middle:.3f} [{low:.3f}, {high:.3f}]")
        return "  ".join(parts)

    def _best(self, session: Session) -> str:
        best = session.best()
        if best is None:
            return "best yet: the default"
        half = 1.96 * math.sqrt(best.variance(session.gauge.sd))
        ends = sorted(ratio(best.mean + sign * half, self._job.objective) for sign in (-1, 1))
        return f"best yet: {ratio(best.mean, self._job.objective):.3f} [{ends[0]:.3f}, {ends[1]:.3f}] of the default"

    def _show(self) -> None:
        if self._screen is not None:
            self._screen.update(self._picture())
        elif time.monotonic() - self._spoke >= EVERY_S:
            self._spoke = time.monotonic()
            say(self.line())

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if self._session is None:
            return Text(self.line())
        rows = [self._trial(k, row.trial) for k, row in enumerate(self._session.rows, 1)][-SHOWN:]
        columns = ("trial", "ratio", "runs", self._job.objective.metric, "changed")
        return Group(table(columns, rows, right=columns[:4]), Text(self.line(), no_wrap=True, overflow="ellipsis"))

    def _trial(self, number: int, trial: Trial) -> list[str]:
        metric = self._job.objective.metric
        value = f"{ratio(trial.loss, self._job.objective):.3f}" if trial.loss is not None else "–"
        marked = {"ok": value, "constraint": f"{value} !", "censored": f"> {value}"}.get(trial.status, trial.status)
        told = show(metric, trial.metrics[metric]) if metric in trial.metrics else "–"
        changed = self._job.command.space.changed(trial.values)
        words = [f"{name}={self._job.command.space.by_name[name].show(value)}" for name, value in changed.items()]
        text = " ".join(words) or "the default"
        return [str(number), marked, str(trial.runs), told, text if len(text) <= 60 else f"{text[:57]}..."]


def _screen() -> Screen:
    from rich.console import Console
    from rich.live import Live as Screen

    return Screen(
        console=Console(stderr=True, markup=False, emoji=False, highlight=False), transient=True, refresh_per_second=4
    )
