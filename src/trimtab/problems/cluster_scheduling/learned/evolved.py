# SPDX-License-Identifier: Apache-2.0
"""An index rule whose weights were found by evolution.

`EvolvedIndex` decides with trained weights: one set for batches, where all jobs
are there from the start, and one for streams. `EvolvedIndexLearner` finds them
with CMA-ES (Hansen, 2016): every generation plays some training streams under
all candidates, on equal draws, and ranks these by mean log average JCT. A whole
episode is one number to the search, so nothing is assumed about how decisions
and completion times hang together; what makes this work is the compiled loop.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import UsageError
from trimtab.core.extras import need
from trimtab.core.fingerprint import fingerprints
from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights

from ..problem import Floats, Ints, JobStream
from ..simulator import CompiledPolicy, Decision
from ..simulator.index import SIZE, prior
from ..simulator.many import PackedStreams, pack_streams, simulate_many
from ..simulator.rules import INDEX, SRPT

#: Trained on the training split named in its card.
SHIPPED: Final = Path(__file__).parents[1] / "weights" / "evolved_index.safetensors"

#: The sets of weights.
KINDS: Final[tuple[str, ...]] = ("batch", "stream")
_SHAPES: Final[Mapping[str, tuple[int, ...]]] = {"batch": (SIZE,), "stream": (SIZE,)}

Weights = Mapping[str, NDArray[np.float32]]


class EvolvedIndex(CardedWeights):
    """The solver. Without arguments it has the weights that trimtab ships."""

    track = "policy"
    deterministic = True

    def __init__(self, weights: Weights | None = None, card: Mapping[str, Any] | None = None) -> None:
        if weights is None:
            weights, card = load_weights(SHIPPED, _SHAPES)
        self.weights, self.card = weights, dict(card or {})

    @classmethod
    def load(cls, path: Path) -> EvolvedIndex:
        """Raises `DataError` where the file does not hold this solver's weights."""
        return cls(*load_weights(path, _SHAPES))

    def solve(self, task: Task[JobStream, Decision]) -> CompiledPolicy:
        return CompiledPolicy("evolved_index", INDEX, self.weights[kind_of(task.instance)].astype(np.float64))


def kind_of(stream: JobStream) -> str:
    return "batch" if stream.arrival_ms[-1] == 0 else "stream"


@dataclass(frozen=True)
class Settings:
    """All that training depends on besides its instances and its seed."""

    generations: int = 160  # of each set of weights
    population: int = 16
    jobs: int = 400  # played in a generation, on as many streams as have them
    sigma: float = 0.15  # first step size
    check_every: int = 10  # generations
    threads: int = 2


@dataclass(frozen=True)
class Progress:
    """One line of a training's log."""

    kind: str
    generation: int
    average_jct: float  # s, geometric mean over the held-out streams
    rule_jct: float  # s, of srpt with a square-root cap there
    cpu_s: float

    def __str__(self) -> str:
        return (
            f"{self.kind}, generation {self.generation}: held-out average JCT {self.average_jct:.2f} s, "
            f"{self.average_jct / self.rule_jct:.3f} x srpt's {self.rule_jct:.2f} s; {self.cpu_s:.0f} CPU s"
        )


def _print(progress: Progress) -> None:
    print(progress, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class EvolvedIndexLearner:
    """Evolves the rule on some streams; an eighth of them is held out to choose the best weights.

    Training is cut short where a task's budget has fewer seconds than `settings`.
    """

    settings: Settings = Settings()
    report: Callable[[Progress], Any] = field(default=_print, compare=False)

    def fit(self, tasks: Sequence[Task[JobStream, Decision]]) -> EvolvedIndex:
        if not tasks:
            raise UsageError("evolved_index: no instances to train on")
        started, seed = time.process_time(), tasks[0].seed
        groups = {kind: [task.instance for task in tasks if kind_of(task.instance) == kind] for kind in KINDS}
        groups = {kind: streams for kind, streams in groups.items() if streams}
        log: list[Progress] = []
        found: dict[str, Floats] = {}
        for left, (kind, streams) in zip(range(len(groups), 0, -1), groups.items(), strict=True):
            evolution = Evolution(kind, streams, self.settings, seed, self.report)
            found[kind] = evolution.run(min(task.remaining.seconds for task in tasks) / left)
            log.append(min(evolution.log, key=lambda line: line.average_jct))
        any_kind = next(iter(found.values()))
        card = {
            "solver": "evolved_index",
            "settings": asdict(self.settings),
            "seed": seed,
            "cpu_s": round(time.process_time() - started, 3),
            "held_out": [asdict(line) for line in log],
            "trained_on": sorted(fingerprints({str(i): task.instance for i, task in enumerate(tasks)}).values()),
        }
        return EvolvedIndex({kind: found.get(kind, any_kind).astype(np.float32) for kind in KINDS}, card)


class Evolution:
    """A population on its way, the best weights so far, and its log."""

    def __init__(
        self, kind: str, streams: Sequence[JobStream], settings: Settings, seed: int, report: Callable[[Progress], Any]
    ) -> None:
        self.kind, self.settings, self.log, self.generation = kind, settings, list[Progress](), 0
        self._rng, self._report = np.random.default_rng(seed), report
        self._held_out = list(streams[::8])
        self._streams = [stream for i, stream in enumerate(streams) if i % 8] or self._held_out
        self._started = time.process_time()
        cma = need("cma", extra="learn", purpose="training evolved_index")
        options = {"popsize": settings.population, "seed": seed + 1, "verbose": -9}
        self._strategy = cma.CMAEvolutionStrategy(prior(), settings.sigma, options)
        self.best = prior()

    def run(self, wall_seconds: float = np.inf) -> Floats:
        """Evolve for all generations, or until the wall seconds are used up; the best weights."""
        deadline = time.perf_counter() + wall_seconds
        with ThreadPoolExecutor(self.settings.threads) as pool:
            self._check(pool)
            while self.generation < self.settings.generations and time.perf_counter() < deadline:
                self._step(pool)
                if self.generation % self.settings.check_every == 0:
                    self._check(pool)
        return self.best

    def _step(self, pool: ThreadPoolExecutor) -> None:
        candidates = np.array(self._strategy.ask())
        order = self._rng.permutation(len(self._streams))
        jobs = np.cumsum([self._streams[i].num_jobs for i in order])
        drawn = order[: int(np.searchsorted(jobs, self.settings.jobs)) + 1]
        seeds = self._rng.integers(1 << 31, size=len(drawn))
        scores = log_jct(pool, [self._streams[i] for i in drawn], INDEX, candidates, seeds).mean(axis=1)
        self._strategy.tell(list(candidates), scores)
        self.generation += 1

    def _check(self, pool: ThreadPoolExecutor) -> None:
        """The centre of the population on the held-out streams: kept if it is the best so far."""
        centre, seeds = np.array(self._strategy.mean), np.arange(len(self._held_out))
        jct, rule = (
            float(np.exp(log_jct(pool, self._held_out, kind, vector, seeds).mean()))
            for kind, vector in ((INDEX, centre[None]), (SRPT, np.array([[0.5, 0.5]])))
        )
        if not self.log or jct < min(line.average_jct for line in self.log):
            self.best = centre
        cpu_s = time.process_time() - self._started
        self.log.append(Progress(self.kind, self.generation, jct, rule, cpu_s))
        self._report(self.log[-1])


def log_jct(
    pool: ThreadPoolExecutor, streams: Sequence[JobStream], kind: int, candidates: Floats, seeds: Ints
) -> Floats:
    """Log average JCT of every candidate on every stream.  (candidates, streams)"""
    out = np.empty((len(candidates), len(streams)))
    order = sorted(range(len(streams)), key=lambda i: id(streams[i].profiles))
    parts = np.array_split(np.arange(len(candidates)), min(4, len(candidates)))
    for _, group in groupby(order, key=lambda i: id(streams[i].profiles)):
        columns = np.array(list(group))
        play = partial(_play, pack_streams([streams[i] for i in columns]), kind, candidates, seeds[columns])
        for part, jct in zip(parts, pool.map(play, parts), strict=True):
            out[np.ix_(part, columns)] = jct
    return out


def _play(packed: PackedStreams, kind: int, candidates: Floats, seeds: Ints, part: Ints) -> Floats:
    return np.asarray(np.log(np.minimum(simulate_many(packed, kind, candidates[part], seeds)[:, :, 0], 1e9)))
