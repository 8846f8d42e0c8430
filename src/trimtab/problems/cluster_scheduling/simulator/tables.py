# SPDX-License-Identifier: Apache-2.0
"""Profiles as flat arrays that compiled code reads. Every fallback of the duration draw is settled here, once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..problem import FIRST, FRESH, REST, WAVES, Floats, Ints, JobProfile
from .curves import expected_s

#: An array of records. Compiled code reads and writes a record's fields as attributes, which no type checker knows.
Records: TypeAlias = Any

PROFILE: Final = np.dtype(
    [
        ("first_stage", np.int64),
        ("num_stages", np.int64),
        ("first_level", np.int64),
        ("num_levels", np.int64),
        ("work_s", np.float64),  # executor-seconds at mean durations
        ("path_s", np.float64),  # of the critical path, in work
    ],
    align=True,
)
STAGE: Final = np.dtype(
    [
        ("num_tasks", np.int64),
        ("num_parents", np.int64),
        ("first_child", np.int64),
        ("end_child", np.int64),
        ("first_draw", np.int64),
        ("mean_ms", np.float64),
        ("path_s", np.float64),  # work of the stage and of the heaviest path below it
        ("trouble", np.float64),  # the most work of any stage from here on, as a share of the job's heaviest
    ],
    align=True,
)
DRAW: Final = np.dtype([("start", np.int64), ("count", np.int64), ("delay_ms", np.float64)], align=True)


class Tables(NamedTuple):
    """A set of profiles."""

    profiles: Records  # (profiles,) PROFILE
    stages: Records  # (all stages,) STAGE
    children: NDArray[np.int64]  # stage numbers within the job, ascending for each parent
    levels: NDArray[np.int64]  # (all levels,)
    draws: Records  # (all stages x their levels x waves,) DRAW: where to draw a duration from
    durations: Floats  # (all samples,) ms
    curves: Floats  # (all stages, waves, len(curves.GRID)) expected duration, s
    max_stages: int  # of a job


@lru_cache(maxsize=16)
def pack(profiles: tuple[JobProfile, ...], warmup_delay_ms: float) -> Tables:
    """Flatten profiles. Cached: packing a set again costs nothing."""
    head = np.zeros(len(profiles), PROFILE)
    stages, children, draws, curves = [], [], [], []
    first = np.cumsum([0] + [p.num_stages for p in profiles])
    level = np.cumsum([0] + [len(p.levels) for p in profiles])
    sample = np.cumsum([0] + [len(p.durations) for p in profiles])
    draw = np.cumsum([0] + [p.num_stages * len(p.levels) * len(WAVES) for p in profiles])
    edge = 0
    for i, profile in enumerate(profiles):
        rows, below = _stages(profile, edge, draw[i])
        head[i] = (first[i], len(rows), level[i], len(profile.levels), profile.work_s, rows["path_s"].max())
        stages.append(rows)
        children.append(below)
        drawn = _draws(profile, warmup_delay_ms)
        curves.append(expected_s(drawn, profile.levels, profile.durations))
        drawn["start"] += sample[i]
        draws.append(drawn.reshape(-1))
        edge += len(below)
    return Tables(
        profiles=head,
        stages=np.concatenate(stages),
        children=np.concatenate(children).astype(np.int64),
        levels=np.concatenate([p.levels for p in profiles]).astype(np.int64),
        draws=np.concatenate(draws),
        durations=np.concatenate([p.durations for p in profiles]).astype(np.float64),
        curves=np.concatenate(curves),
        max_stages=int(head["num_stages"].max()),
    )


def _stages(profile: JobProfile, first_edge: int, first_draw: int) -> tuple[Records, Ints]:
    edges = np.unique(profile.edges, axis=0)  # by parent, then child
    rows = np.zeros(profile.num_stages, STAGE)
    rows["num_tasks"] = profile.num_tasks
    rows["num_parents"] = np.bincount(edges[:, 1], minlength=len(rows))
    rows["first_child"] = first_edge + np.searchsorted(edges[:, 0], np.arange(len(rows)))
    rows["end_child"] = first_edge + np.searchsorted(edges[:, 0], np.arange(len(rows)), side="right")
    rows["first_draw"] = first_draw + np.arange(len(rows)) * len(profile.levels) * len(WAVES)
    rows["mean_ms"] = profile.mean_duration_ms
    rows["path_s"] = critical_path_s(profile)
    rows["trouble"] = _trouble(profile)
    return rows, edges[:, 1]


def critical_path_s(profile: JobProfile) -> Floats:
    """Work on the heaviest path from each stage to the end of its job (Decima, section 5.3).  (stages,)"""
    path = profile.num_tasks * profile.mean_duration_ms / 1000
    for stage in profile.topological_order[::-1]:
        below = profile.edges[profile.edges[:, 0] == stage, 1]
        if len(below):
            path[stage] += path[below].max()
    return path


def _trouble(profile: JobProfile) -> Floats:
    work = profile.num_tasks * profile.mean_duration_ms
    most = np.asarray(work / max(work.max(), 1e-9), np.float64)
    for stage in profile.topological_order[::-1]:
        below = profile.edges[profile.edges[:, 0] == stage, 1]
        if len(below):
            most[stage] = max(most[stage], most[below].max())
    return most


def _draws(profile: JobProfile, warmup_delay_ms: float) -> Records:
    """What a task draws from: ranges of the profile's durations (decima-sim, node.py).  (stages, levels, waves)"""
    start, count = profile.offsets[..., 0], np.diff(profile.offsets, axis=-1)[..., 0]  # (stages, levels, waves)
    rows = np.zeros(count.shape, DRAW)
    rows["start"], rows["count"] = start, count
    measured = rows.copy()
    late = _first_of(measured, (FIRST, REST))
    late["delay_ms"] = warmup_delay_ms
    rows[..., FRESH] = np.where(count[..., FRESH] > 0, measured[..., FRESH], late)
    rows[..., FIRST] = _first_of(measured, (FIRST, FRESH, REST))
    rows[..., REST] = _first_of(measured, (REST, FIRST, FRESH))
    # a level at which the stage never ran: the largest at which it did
    ran = np.sum(count, axis=-1) > 0  # (stages, levels)
    largest = ran.shape[1] - 1 - np.argmax(ran[:, ::-1], axis=1)
    missing = ~ran
    rows[missing] = rows[np.arange(len(rows)), largest][np.nonzero(missing)[0]]
    return rows


def _first_of(rows: Records, waves: tuple[int, ...]) -> Records:
    """Of several waves, the first one with a measurement."""
    chosen = rows[..., waves[-1]]
    for wave in waves[-2::-1]:
        chosen = np.where(rows["count"][..., wave] > 0, rows[..., wave], chosen)
    return chosen
