# SPDX-License-Identifier: Apache-2.0
"""`simulate_many`: many streams under many parameter vectors, without Python between episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.core.errors import UsageError

from ..problem import METRICS, Floats, Ints, JobStream
from . import engine
from .compiled import compiled
from .rules import EXTERNAL
from .simulation import clean_seed
from .state import State, allocate
from .tables import Tables, pack


@dataclass(frozen=True, eq=False)
class PackedStreams:
    """Streams over one set of profiles, as arrays. Make one with `pack_streams`, use it as often as you like."""

    tables: Tables
    first: Ints  # (streams + 1,) where each stream begins in the next two
    jobs: Ints  # (all jobs,)
    arrival_ms: Floats  # (all jobs,)
    num_executors: Ints  # (streams,)
    moving_delay_ms: Floats  # (streams,)

    @property
    def num_streams(self) -> int:
        return len(self.num_executors)


def pack_streams(streams: Sequence[JobStream]) -> PackedStreams:
    """All streams must share their tuple of profiles and their warm-up delay."""
    head = streams[0]
    for i, stream in enumerate(streams):
        if stream.profiles != head.profiles or stream.warmup_delay_ms != head.warmup_delay_ms:
            raise UsageError(f"pack_streams: stream {i} has other profiles (or another warm-up delay) than stream 0")
    return PackedStreams(
        tables=pack(head.profiles, float(head.warmup_delay_ms)),
        first=np.cumsum([0] + [s.num_jobs for s in streams]).astype(np.int64),
        jobs=np.concatenate([s.jobs for s in streams]).astype(np.int64),
        arrival_ms=np.concatenate([s.arrival_ms for s in streams]).astype(np.float64),
        num_executors=np.array([s.num_executors for s in streams], np.int64),
        moving_delay_ms=np.array([s.moving_delay_ms for s in streams], np.float64),
    )


def simulate_many(streams: PackedStreams, kind: int, parameters: Floats, seeds: Sequence[int] | Ints) -> Floats:
    """Metrics of every parameter vector on every stream: (vectors, streams, problem.METRICS).

    `kind` is one of `rules`, `parameters` (vectors, k). Stream i draws its
    durations by ``seeds[i]`` under every vector. A policy that stalls has inf.
    Releases the GIL: threads work.
    """
    if kind == EXTERNAL:
        raise UsageError("simulate_many: only compiled kinds of policy run without Python")
    if len(seeds) != streams.num_streams:
        raise UsageError(f"simulate_many: {len(seeds)} seeds for {streams.num_streams} streams")
    matrix = np.ascontiguousarray(np.atleast_2d(parameters), np.float64)
    most = int(np.diff(streams.first).max())
    state = allocate(streams.tables, slots=most, executors=int(streams.num_executors.max()), jobs=most)
    out = np.zeros((len(matrix), streams.num_streams, len(METRICS)))
    _episodes(
        state,
        streams.tables,
        streams.first,
        streams.jobs,
        streams.arrival_ms,
        streams.num_executors,
        streams.moving_delay_ms,
        np.array([clean_seed(seed) for seed in seeds], np.int64),
        kind,
        matrix,
        out,
    )
    return out


@compiled
def _episodes(
    state: State,
    tables: Tables,
    first: Ints,
    jobs: Ints,
    arrival_ms: Floats,
    num_executors: Ints,
    moving_delay_ms: Floats,
    seeds: Ints,
    kind: int,
    matrix: Floats,
    out: Floats,
) -> None:
    for i in range(len(num_executors)):
        these, arrivals = jobs[first[i] : first[i + 1]], arrival_ms[first[i] : first[i + 1]]
        for p in range(len(matrix)):
            engine.begin(state, tables, these, arrivals, num_executors[i], moving_delay_ms[i], np.inf, seeds[i])
            if engine.run(state, tables, these, arrivals, kind, matrix[p]) == engine.DONE:
                _measure(state, arrivals, num_executors[i], out[p, i])
            else:
                out[p, i] = np.inf


@compiled
def _measure(state: State, arrival_ms: Floats, num_executors: int, out: Floats) -> None:
    """The same numbers as Simulation.metrics."""
    cluster = state.cluster[0]
    jct = np.sort(state.done_ms[: len(arrival_ms)] - arrival_ms) / 1000
    at = 0.95 * (len(jct) - 1)
    below = int(at)
    above = min(below + 1, len(jct) - 1)
    out[0] = jct.mean()
    out[1] = jct[below] + (at - below) * (jct[above] - jct[below])
    out[2] = cluster.time_ms / 1000
    out[3] = cluster.busy_ms / (cluster.time_ms * num_executors) if cluster.time_ms > 0 else 0.0
