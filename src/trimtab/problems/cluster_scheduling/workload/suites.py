# SPDX-License-Identifier: Apache-2.0
"""The named sets of instances. Each is a function of the split, made when it is asked for, always the same.

=================  ===================================================  =========  =======================
suite              an instance                                          executors  train, validation, test
=================  ===================================================  =========  =======================
(shipped)          12 jobs at once, or 60 jobs, Poisson, load 0.75,     8 and 16   20, 8, 20
                   of trimtab's own profile of TPC-H on Spark
decima-batch       20 jobs at once                                      50         100, 30, 100
decima-stream      1,000 jobs, Poisson, load 0.85                       50         16, 8, 16
decima-overload    50 jobs, Poisson, mean gap 25 s: almost 3 times      10         40, 15, 40
                   what the cluster can do
decima-mixed       20 jobs at once; 100, Poisson, load 0.7 to 0.95;    15 to 50   540, 72, 72
                   40, Poisson, load 1.2 to 3
alibaba-batch      20 jobs at once                                      100        30, 10, 30
alibaba-stream     200 jobs of the trace in its rhythm, load 0.85       100        30, 10, 30
=================  ===================================================  =========  =======================

The shipped jobs are queries of one Spark application, between which an executor
moves for nothing; in all other suites it takes 2 s, as in Decima's simulator.
Decima's jobs are drawn evenly from a split's queries at the six sizes of the
paper (2, 5, 10, 20, 50 and 100 GB). Alibaba's are wider (one in ten has over 770
tasks), so they get twice the executors. Loads are by mean durations; executors
are busy for less of the time, since tasks of jobs with few executors run faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.problem import SPLITS, Split

from ..problem import Floats, JobProfile, JobStream
from . import alibaba, decima
from .files import load_profiles
from .splits import generator, only, split_of
from .streams import batch, poisson, replay

PAPER_SIZES: Final = (2, 5, 10, 20, 50, 100)  # GB
SHIPPED: Final = Path(__file__).parents[1] / "shipped" / "tpch_spark.npz"

Suite = Callable[[Split], Mapping[str, JobStream]]
Draw = Callable[["np.random.Generator"], JobStream]  # in quotes: `trimtab list` need not load NumPy's generators


@cache
def shipped(split: Split) -> Mapping[str, JobStream]:
    """What comes with trimtab: nothing to fetch."""
    profiles = only(load_profiles(SHIPPED), split)
    made: dict[str, JobStream] = {}
    for executors in (8, 16):
        together, apart = _batches(profiles, 12, executors), _streams(profiles, 60, executors, load=0.75)
        made |= _instances(f"batch-{executors}", split, (5, 2, 5), _one_application(together))
        made |= _instances(f"stream-{executors}", split, (5, 2, 5), _one_application(apart))
    return made


@cache
def decima_batch(split: Split) -> Mapping[str, JobStream]:
    return _instances("decima-batch", split, (100, 30, 100), _batches(_tpch(split), 20, 50))


@cache
def decima_stream(split: Split) -> Mapping[str, JobStream]:
    return _instances("decima-stream", split, (16, 8, 16), _streams(_tpch(split), 1000, 50, load=0.85))


@cache
def decima_overload(split: Split) -> Mapping[str, JobStream]:
    return _instances("decima-overload", split, (40, 15, 40), _streams(_tpch(split), 50, 10, mean_gap_ms=25_000))


@cache
def decima_mixed(split: Split) -> Mapping[str, JobStream]:
    """What the shipped weights are trained on: short, at many loads, and never on 10 executors."""
    profiles = _tpch(split)

    def steady(rng: np.random.Generator) -> JobStream:
        return poisson(profiles, rng, jobs=100, executors=50, load=rng.uniform(0.7, 0.95))

    def crowded(rng: np.random.Generator) -> JobStream:
        return poisson(profiles, rng, jobs=40, executors=int(rng.choice([15, 20, 30])), load=rng.uniform(1.2, 3.0))

    return {
        **_instances("mixed-batch", split, (300, 40, 40), _batches(profiles, 20, 50)),
        **_instances("mixed-steady", split, (120, 16, 16), steady),
        **_instances("mixed-crowded", split, (120, 16, 16), crowded),
    }


@cache
def alibaba_batch(split: Split) -> Mapping[str, JobStream]:
    profiles, _ = _trace(split)
    return _instances("alibaba-batch", split, (30, 10, 30), _batches(profiles, 20, 100))


@cache
def alibaba_stream(split: Split) -> Mapping[str, JobStream]:
    profiles, submit_ms = _trace(split)

    def draw(rng: np.random.Generator) -> JobStream:
        return replay(profiles, submit_ms, rng, jobs=200, executors=100, load=0.85)

    return _instances("alibaba-stream", split, (30, 10, 30), draw)


SUITES: Final[Mapping[str, Suite]] = {
    "decima-batch": decima_batch,
    "decima-stream": decima_stream,
    "decima-overload": decima_overload,
    "decima-mixed": decima_mixed,
    "alibaba-batch": alibaba_batch,
    "alibaba-stream": alibaba_stream,
}


def _instances(suite: str, split: Split, counts: tuple[int, int, int], draw: Draw) -> dict[str, JobStream]:
    """`counts` go with (train, validation, test). All instances share one tuple of profiles."""
    count = counts[SPLITS.index(split)]
    return {f"{suite}-{index:03d}": draw(generator(suite, split, index)) for index in range(count)}


def _one_application(draw: Draw) -> Draw:
    """The jobs are queries of one Spark application, as they were measured: no JVM to start for another job."""
    return lambda rng: replace(draw(rng), moving_delay_ms=0.0, warmup_delay_ms=0.0)


def _batches(profiles: tuple[JobProfile, ...], jobs: int, executors: int) -> Draw:
    return lambda rng: batch(profiles, rng, jobs=jobs, executors=executors)


def _streams(
    profiles: tuple[JobProfile, ...],
    jobs: int,
    executors: int,
    *,
    load: float | None = None,
    mean_gap_ms: float | None = None,
) -> Draw:
    return lambda rng: poisson(profiles, rng, jobs=jobs, executors=executors, load=load, mean_gap_ms=mean_gap_ms)


@cache
def _tpch(split: Split) -> tuple[JobProfile, ...]:
    return only(decima.profiles(PAPER_SIZES), split)


@cache
def _trace(split: Split) -> tuple[tuple[JobProfile, ...], Floats]:
    whole = alibaba.trace()
    here = [at for at, profile in enumerate(whole.profiles) if split_of(profile) == split]
    return tuple(whole.profiles[at] for at in here), whole.submit_ms[here]
