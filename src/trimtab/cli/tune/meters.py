# SPDX-License-Identifier: Apache-2.0
"""What readings come from: this machine, one core per job, or the machines of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final

from trimtab.problems.runtime_tuning.space import Values
from trimtab.problems.runtime_tuning.system.command import Command
from trimtab.problems.runtime_tuning.system.cores import claim
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.measure import Reading
from trimtab.problems.runtime_tuning.system.meter import FOREVER, Live, Meter, Patience
from trimtab.problems.runtime_tuning.system.run import Limits, Runner

MEMORY: Final = 0.9  # of the machine's that a program may take
PATIENCE: Final = 10.0  # times what the default takes (wall): then a run hangs
LEAST_S: Final = 10.0


@contextmanager
def meters(command: Command, journal: Journal, jobs: int, executor: str, *, timeout: bool) -> Iterator[Sequence[Meter]]:
    """One meter for each job. The first run of a new journal is a probe of the default, which is kept in it."""
    with ExitStack() as stack:
        probing = stack.enter_context(Runner())
        wall, digests = _probe(Live(command, probing, _limits()), journal)
        limits = _limits() if timeout else replace(_limits(), wall=max(LEAST_S, PATIENCE * wall))
        if executor == "ray":
            yield stack.enter_context(_remotes(command, limits, digests, jobs))
        elif jobs == 1:
            yield [Live(command, probing, limits, digests)]
        else:
            cores = stack.enter_context(claim(jobs))
            yield [Live(command, stack.enter_context(Runner([core])), limits, digests) for core in cores]


def _limits() -> Limits:
    return Limits(memory=MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _probe(meter: Live, journal: Journal) -> tuple[float, dict[str, str]]:
    """Wall seconds of the default, and what its output is: from the journal, or by running it."""
    for row in journal.rows:
        if row["kind"] == "probe":
            return float(row["wall"]), dict(row["digests"])
    reading = meter.probe()
    wall, digests = reading.metrics["wall"], dict(reading.digests)
    journal.append({"kind": "probe", "wall": wall, "digests": digests})
    return wall, digests


@contextmanager
def _remotes(command: Command, limits: Limits, digests: dict[str, str], jobs: int) -> Iterator[Sequence[Meter]]:
    from trimtab.study.cluster import guests

    with guests(_Guest, (command, limits, digests), jobs) as made:
        yield [_Remote(guest) for guest in made]


class _Guest:
    """Lives in a Ray worker, on a core of its own."""

    def __init__(self, command: Command, limits: Limits, digests: dict[str, str]) -> None:
        self._stack = ExitStack()
        cores = self._stack.enter_context(claim(1))
        self._meter = Live(command, self._stack.enter_context(Runner(cores)), limits, digests)

    def read(self, values: Values, patience: Patience) -> Reading:
        return self._meter.read(values, patience)


class _Remote:
    """A meter whose program runs on another machine."""

    def __init__(self, guest: Any) -> None:
        self._guest = guest

    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        reading: Reading = self._guest("read", values, patience)
        return reading

    def stop(self) -> None:
        self._guest.end()
