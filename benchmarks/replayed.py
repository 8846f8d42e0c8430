# SPDX-License-Identifier: Apache-2.0
"""The targets of runtime_tuning that can be replayed, and processes that share work: for its benchmarks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from trimtab.core.errors import Unavailable
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.problem import Target
from trimtab.problems.runtime_tuning.simulator import Replay
from trimtab.problems.runtime_tuning.workload import SUITES, instances


def replayed() -> Mapping[str, Target]:
    """Of all splits, shipped and public; says on stderr what is left out."""
    found: dict[str, Target] = {}
    for split in SPLITS:
        found |= instances(split)
        try:
            found |= SUITES["public"](split)
        except Unavailable as error:
            print(f"left out: {error}", file=sys.stderr)
    return {name: target for name, target in found.items() if target.replay is not None}


T = TypeVar("T")
R = TypeVar("R")

_work: Callable[[Any], Any]  # of a crew, for the processes that are forked from this one


class Crew:
    """So many processes, forked when the work is known: they have all that this one has fitted."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, work: Callable[[T], R], items: Sequence[T], deadline: float = float("inf")) -> Iterator[R]:
        """Results as they come; nothing is begun after the deadline."""
        if self.workers == 1:
            for item in items:
                if time.monotonic() > deadline:
                    return
                yield work(item)
            return
        global _work
        _work = work
        with ProcessPoolExecutor(self.workers, get_context("fork")) as pool:
            left = iter(items)
            running = {pool.submit(_called, item) for item in islice(left, 2 * self.workers)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    running |= {pool.submit(_called, item) for item in islice(left, int(time.monotonic() < deadline))}


def _called(item: Any) -> Any:
    return _work(item)


def fitted(targets: Mapping[str, Target], crew: Crew) -> Mapping[str, Target]:
    """The same targets, their replays fitted."""
    found = {target.name: target for target in crew.map(_fitted, list(targets.values()))}
    return {name: found[name] for name in targets}


def _fitted(target: Target) -> Target:
    assert target.replay is not None
    replay = Replay(target.replay.table, target.replay.name)
    _ = replay.best, replay.fidelity  # kept in it
    return replace(target, replay=replay)
