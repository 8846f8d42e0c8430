# SPDX-License-Identifier: Apache-2.0
"""How far long work has come: a bar on a terminal, elsewhere a line every few seconds. On standard error."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from .screen import say, size

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

QUIET_S = 2.0  # work that ends before shows nothing where there is no terminal
EVERY_S = 5.0


class Progress(logging.Handler):
    """Called with (done, total, text); as a log handler it shows the latest message as the text.

    What trains says how it goes through ``logging.getLogger("trimtab")``, so a
    learner needs to know nothing of terminals.
    """

    def __init__(self, title: str, *, unit: Literal["", "B"] = "") -> None:
        super().__init__(logging.INFO)
        self.title, self.done, self.total, self.text = title, 0, 0, ""
        self._shown = size if unit else str
        self._first: int | None = None  # how much was there already when the first report came
        self._started = time.monotonic()
        self._spoke = self._started + QUIET_S - EVERY_S
        self._bar = _bar(unit) if sys.stderr.isatty() else None
        self._task = self._bar.add_task(title, total=None, text="") if self._bar else None

    def __call__(self, done: int, total: int, text: str = "") -> None:
        if self._first is None:
            self._first = done
        self.done, self.total, self.text = done, total, text
        self._show()

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
        self._show()

    def __enter__(self) -> Progress:
        logger = logging.getLogger("trimtab")
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logger = logging.getLogger("trimtab")
        logger.removeHandler(self)
        logger.setLevel(self._level)
        if self._bar:
            self._bar.stop()

    def line(self) -> str:
        """For logs: title, how far, for how long, how much longer."""
        spent = time.monotonic() - self._started
        parts = [self.title]
        if self.total:
            parts.append(f"{self._shown(self.done)}/{self._shown(self.total)}")
        parts.append(f"{_clock(spent)} so far")
        fresh = self.done - (self._first or 0)
        if self.total and fresh:
            parts.append(f"about {_clock(spent / fresh * (self.total - self.done))} left")
        return "  ".join([*parts, self.text]).rstrip()

    def _show(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, total=self.total or None, text=self.text)
        elif time.monotonic() - self._spoke >= EVERY_S:
            self._spoke = time.monotonic()
            say(self.line())


def _bar(unit: Literal["", "B"]) -> Bar:
    from rich import progress as columns
    from rich.console import Console

    return columns.Progress(
        columns.TextColumn("{task.description}", markup=False),
        columns.BarColumn(bar_width=24),
        columns.DownloadColumn() if unit else columns.MofNCompleteColumn(),
        columns.TimeElapsedColumn(),
        columns.TimeRemainingColumn(),
        columns.TextColumn("{task.fields[text]}", markup=False, style="dim"),
        console=Console(stderr=True, markup=False, emoji=False),
        transient=True,
        refresh_per_second=4,
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
