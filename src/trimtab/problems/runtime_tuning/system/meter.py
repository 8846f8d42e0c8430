# SPDX-License-Identifier: Apache-2.0
"""`Meter`: where readings come from. `Live` runs the program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from trimtab.core.errors import TrimtabError, UsageError

from ..space import Values
from .command import Command
from .measure import Reading, measure
from .run import DEFAULT, Limits, Runner

Patience = tuple[Literal["cpu", "wall"], float]  # a run that takes more is killed, and censored
FOREVER: Patience = ("wall", float("inf"))


class Meter(Protocol):
    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        """Run a configuration once."""
        ...

    def stop(self) -> None:
        """Kill what runs, from another thread."""
        ...


@dataclass
class Live:
    """Runs a command. `probe` comes first: it says whether the default works at all."""

    command: Command
    runner: Runner
    limits: Limits = DEFAULT
    digests: dict[str, str] = field(default_factory=dict)

    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        return measure(
            self.command, values, self.runner, limits=self.limits, patience=patience, digests=self.digests
        )  # fmt: skip

    def stop(self) -> None:
        self.runner.stop()

    def probe(self) -> Reading:
        """The default, run once, unmeasured by others: warms caches, and fixes what its output is.

        Raises `UsageError` with the last that it said if it does not work.
        """
        reading = self.read(self.command.space.default)
        if reading.status != "ok":
            raise broken(reading)
        self.digests.update(reading.digests)
        return reading


def broken(reading: Reading) -> TrimtabError:
    """What to say when the default itself does not do its work."""
    said = "".join(f"\n  | {line}" for line in reading.tail.splitlines()[-8:])
    what = reading.note or reading.status
    return UsageError(f"the command fails with every knob at its default, so there is nothing to tune: {what}{said}")
