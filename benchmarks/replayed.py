# SPDX-License-Identifier: Apache-2.0
"""For the benchmarks of runtime_tuning: replayed targets, the rule of `trimtab tune` on them, a crew of processes."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.problem import Target, Trial
from trimtab.problems.runtime_tuning.simulator import Replay
from trimtab.problems.runtime_tuning.space import Values
from trimtab.problems.runtime_tuning.system.finals import FINALISTS, ROUNDS
from trimtab.problems.runtime_tuning.system.records import condensed
from trimtab.problems.runtime_tuning.workload import SUITES, instances
from trimtab.problems.runtime_tuning.workload.suites import LESSONS


def replayed() -> Mapping[str, Target]:
    """Of all splits, shipped and public, but for lessons; says on stderr what is left out."""
    found: dict[str, Target] = {}
    for split in SPLITS:
        found |= instances(split)
        try:
            found |= SUITES["public"](split)
        except Unavailable as error:
            print(f"left out: {error}", file=sys.stderr)
    return {name: target for name, target in found.items() if target.replay is not None and name not in LESSONS}


def repeated(replay: Replay, values: Values, runs: int, rng: np.random.Generator) -> Trial:
    """So many runs of a configuration as one trial, with the median of their ratios to the default beside them."""
    trials = [replay.measure(values, rng) for _ in range(runs)]
    losses = [trial.loss for trial in trials if trial.loss is not None]
    if not losses:
        return trials[0]
    loss, within = condensed(losses)
    return replace(trials[0], loss=loss, runs=runs, within=within)


def decided(replay: Replay, own: Values, trials: Sequence[Trial], rng: np.random.Generator) -> Values:
    """As `trimtab tune` decides: what the optimiser would keep and the best by its measurements, in fresh runs."""
    ranked = sorted((t for t in trials if t.loss is not None), key=lambda t: t.loss or 0.0)
    finalists = [own]
    for trial in ranked:
        if len(finalists) < FINALISTS and trial.values not in finalists:
            finalists.append(trial.values)
    found = [repeated(replay, values, ROUNDS, rng).loss for values in finalists]
    return finalists[int(np.argmin([math.inf if loss is None else loss for loss in found]))]


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
