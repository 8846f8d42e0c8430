# SPDX-License-Identifier: Apache-2.0
"""A capture: random configurations of a live target, measured in an order that can be taken up again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.core.errors import UsageError

from ..problem import Status, Target
from ..space import Value
from ..system.command import Command
from ..system.journal import Journal
from ..system.measure import Reading, measure
from ..system.meter import broken
from ..system.records import restore
from ..system.run import Runner
from .losses import Run
from .plan import plan

_CALIBRATION: Final = 3  # runs of the default that say how long it takes, and what it prints


@dataclass(frozen=True)
class Campaign:
    """What is measured: so many runs of a target.

    Where the objective is time, a run is killed at a multiple of what the default takes:
    it can't win. Otherwise only the command's own limit ends it.
    """

    target: Target
    runs: int
    seed: int = 0
    kill: float = 4.0

    @property
    def command(self) -> Command:
        if self.target.command is None:
            raise UsageError(f"{self.target.name}: there is no command to measure, only a table")
        return self.target.command

    @property
    def patience(self) -> Literal["cpu", "wall"]:
        return "wall" if self.target.objective.metric == "wall" else "cpu"

    @property
    def timed(self) -> bool:
        return self.target.objective.metric in ("cpu", "wall") and self.target.objective.goal == "minimize"

    def header(self) -> dict[str, Any]:
        """What the rows of a journal depend on."""
        knobs = [[k.name, k.kind, k.default, str(k.low), str(k.high), list(k.values)] for k in self.target.space.knobs]
        return {"capture": self.command.describe(), "knobs": knobs, "seed": self.seed, "kill": self.kill}


def capture(
    campaign: Campaign, path: Path, *, until: float = math.inf, tell: Callable[[int], None] = lambda n: None
) -> list[Run]:
    """All runs so far: those of the journal at `path`, and new ones until there are enough or the time is up.

    `until`: of `time.monotonic`. Raises `UsageError` if the default does not do its
    work; what other configurations do is a row.
    """
    with Journal(path, campaign.header()) as journal, Runner() as runner:
        runs = [_restored(campaign, row) for row in journal.rows]
        if len(runs) >= campaign.runs or time.monotonic() >= until:
            return runs
        most, digests = _calibrate(campaign, runner)
        for number, values in enumerate(plan(campaign.target.space, campaign.seed)):
            if number < len(runs):
                continue
            if len(runs) >= campaign.runs or time.monotonic() >= until:
                break
            reading = measure(campaign.command, values, runner, patience=(campaign.patience, most), digests=digests)
            run = _run(campaign, values, reading)
            journal.append(
                {"v": campaign.target.space.changed(values), "s": run.status, "m": dict(run.metrics), "n": reading.note}
            )
            runs.append(run)
            tell(len(runs))
    return runs


def _calibrate(campaign: Campaign, runner: Runner) -> tuple[float, Mapping[str, str]]:
    """Seconds at which a run is killed for being slow, and the digests of what must come out equal."""
    default = campaign.target.space.default
    seconds: list[float] = []
    digests: Mapping[str, str] = {}
    for _ in range(_CALIBRATION):
        reading = measure(campaign.command, default, runner, digests=digests)
        if reading.status != "ok":
            raise broken(reading)
        seconds.append(reading.metrics[campaign.patience])
        digests = reading.digests
    most = campaign.kill * max(seconds) if campaign.timed else math.inf
    return most, digests


def _run(campaign: Campaign, values: Mapping[str, Value], reading: Reading) -> Run:
    objective = campaign.target.objective.metric
    status: Status = reading.status
    if status == "ok" and not reading.metrics.get(objective, 0.0) > 0:
        status = "crash"  # nothing that a ratio could be made of
    return Run(dict(values), status, dict(reading.metrics))


def _restored(campaign: Campaign, row: Mapping[str, Any]) -> Run:
    values = {**campaign.target.space.default, **row["v"]}
    run = Run(restore(campaign.target.space, values), row["s"], row["m"])
    return replace(run, metrics={name: float(value) for name, value in run.metrics.items()})
