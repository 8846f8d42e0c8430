# SPDX-License-Identifier: Apache-2.0
"""The targets of runtime_tuning that can be replayed, as `trimtab tune` measures them, and processes that share work."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.asktell import AskTell
from trimtab.problems.runtime_tuning.problem import Target
from trimtab.problems.runtime_tuning.simulator import Replay
from trimtab.problems.runtime_tuning.space import Values
from trimtab.problems.runtime_tuning.system.finals import decide
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.measure import Reading
from trimtab.problems.runtime_tuning.system.meter import FOREVER, Patience
from trimtab.problems.runtime_tuning.system.pairs import Turns
from trimtab.problems.runtime_tuning.system.session import Policy, Session
from trimtab.problems.runtime_tuning.workload import SUITES, instances
from trimtab.problems.runtime_tuning.workload.suites import LESSONS

#: as `trimtab tune` measures, but for racing: every trial is three runs, so that all optimisers have as many
EQUAL: Final = Policy(winning=0.0)
_OWN_NOISE: Final = math.sqrt(4 / 5)  # of a run, in the standard deviation of its log ratio to the mean of four others


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


@dataclass
class Replayed:
    """A `Meter`: one run of a replayed target at a time, with fresh noise; the default takes 1, and its noise.

    What a table holds are log ratios to the mean of four runs of the default. Here the
    default is run and compared with once more, so that each run has its own share of
    the noise of such a ratio only.
    """

    target: Target
    rng: np.random.Generator

    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        assert self.target.replay is not None
        trial = self.target.replay.measure(values, self.rng)
        if trial.loss is None:
            return Reading("timeout" if trial.status == "timeout" else "crash", note=trial.status)
        metric, most = patience
        exact = self.target.replay.loss(values)
        taken = math.exp(exact + _OWN_NOISE * (trial.loss - exact))
        name = self.target.objective.metric
        if metric == name and taken > most:
            return Reading("censored", {name: most})
        return Reading("ok", {name: taken})

    def stop(self) -> None:
        pass


def tuned(target: Target, tuner: AskTell, trials: int, seed: int) -> tuple[Values, int]:
    """What `trimtab tune` would answer, before it proves it, and how many trials were invalid.

    The default is run again every few runs, each trial is three runs, and what the
    optimiser would keep meets the two with the best measurements in fresh runs.
    """
    meter = Replayed(target, np.random.default_rng((seed, 2024)))
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder, "journal"), {}) as journal:
        session = Session(target.space, target.objective, tuner, [meter], journal, EQUAL)
        session.search(trials=trials)
        finding = decide(session, Turns("finals", target.objective, meter, journal, seed))
    return target.space.default if finding is None else finding.values, sum(not r.trial.valid for r in session.rows)


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
