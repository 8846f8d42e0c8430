# SPDX-License-Identifier: Apache-2.0
"""Decima's profile of TPC-H on Spark, from the data set ``decima-tpch``: 22 queries at 7 input sizes.

The measurements are prepared as in the reference simulator (Mao et al.,
SIGCOMM 2019; ``pre_process_task_duration`` of hongzimao/decima-sim): a first
wave is recorded with its fresh durations, which are taken out of it again, and
where that leaves a level empty the next level below stands in. Every list is
sorted: a uniform draw from it is the same draw, and equal random numbers then
mean equal quantiles under every policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.core.extras import need
from trimtab.data import locate

from ..problem import FIRST, FRESH, Ints, JobProfile

#: GB of TPC-H data. The paper's experiments leave out 80.
SIZES: Final = (2, 5, 10, 20, 50, 80, 100)
QUERIES: Final = tuple(range(1, 23))

_FILES: Final = ("decima_tpch_task_durations.parquet", "decima_tpch_dags.json")
_WAVES: Final = ("fresh_durations", "first_wave", "rest_wave")  # in the order of problem.WAVES
_MS: Final = 1 << 31  # durations are below: (place, duration) packs into one sortable integer


def profiles(sizes: Sequence[int] = SIZES) -> tuple[JobProfile, ...]:
    """The 22 queries at each of `sizes` (GB), by size and then by query; named ``tpch-20g-q5``, of group ``q5``.

    Reads 1.7 M durations once in a process.
    Raises `MissingData` where the data set is not on this machine.
    """
    if not set(sizes) <= set(SIZES):
        raise UsageError(f"decima-tpch: sizes {tuple(sizes)} were asked for; measured were {SIZES} GB")
    known = _profiles(*(locate("decima-tpch", name) for name in _FILES))
    return tuple(known[size, query] for size in sizes for query in QUERIES)


@cache
def _profiles(durations: Path, dags: Path) -> dict[tuple[int, int], JobProfile]:
    edges = json.loads(dags.read_text())
    return {
        (size, query): _profile(size, query, np.array(edges[f"{size}g/q{query}"], np.int64).reshape(-1, 2), rows)
        for size, query, rows in _jobs(_read(durations))
    }


def _read(path: Path) -> NDArray[Any]:
    """The table as a structured array: size, query, stage, wave, executors, duration_ms."""
    table = need("pyarrow.parquet", extra="tables", purpose="the data set decima-tpch").read_table(path)
    rows = np.empty(len(table), [(name, np.int64) for name in ("size", "query", "stage", "wave", "executors", "ms")])
    rows["size"] = _decode(table, "input_size", {f"{size}g": size for size in SIZES})
    rows["wave"] = _decode(table, "wave", {name: wave for wave, name in enumerate(_WAVES)})
    for field, column in (("query", "query"), ("stage", "stage"), ("executors", "executors"), ("ms", "duration_ms")):
        rows[field] = table.column(column).to_numpy()
    return rows


def _decode(table: Any, column: str, meaning: dict[str, int]) -> Ints:
    coded = table.column(column).combine_chunks()
    values: Ints = np.array([meaning[text] for text in coded.dictionary.to_pylist()], np.int64)
    return np.asarray(values[coded.indices.to_numpy()], np.int64)


def _jobs(rows: NDArray[Any]) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """(size, query, its rows in their order), job by job."""
    job = rows["size"] * 100 + rows["query"]
    order = np.argsort(job, kind="stable")
    cuts = np.flatnonzero(np.diff(job[order])) + 1
    for part in np.split(order, cuts):
        yield int(rows["size"][part[0]]), int(rows["query"][part[0]]), rows[part]


def _profile(size: int, query: int, edges: Ints, rows: NDArray[Any]) -> JobProfile:
    levels = np.unique(rows["executors"])
    stages = int(rows["stage"].max()) + 1
    shape = (stages, len(levels), len(_WAVES))
    place = np.ravel_multi_index((rows["stage"], np.searchsorted(levels, rows["executors"]), rows["wave"]), shape)
    packed = _without_fresh(np.sort(place * _MS + rows["ms"]))
    bounds = np.searchsorted(packed, np.arange(np.prod(shape) + 1) * _MS)
    offsets = np.stack([bounds[:-1], bounds[1:]], axis=-1).reshape(*shape, 2)
    return JobProfile(
        name=f"tpch-{size}g-q{query}",
        group=f"q{query}",
        num_tasks=_num_tasks(rows, stages),
        edges=edges,
        levels=levels,
        durations=(packed % _MS).astype(np.float64),
        offsets=_fill(offsets),
    )


def _num_tasks(rows: NDArray[Any], stages: int) -> Ints:
    """Tasks of the first level recorded; a fresh duration is recorded again in its first wave."""
    tasks = rows[rows["wave"] != FRESH]
    _, first = np.unique(tasks["stage"], return_index=True)
    if len(first) != stages:
        raise InvalidInstance("data set 'decima-tpch': a stage was never measured")
    level = tasks["executors"][first]
    return np.bincount(tasks["stage"][tasks["executors"] == level[tasks["stage"]]], minlength=stages)


def _without_fresh(packed: Ints) -> Ints:
    """Take each fresh duration out of the first wave of its stage and level, as a multiset.  Sorted in, sorted out."""
    wave = packed // _MS % len(_WAVES)
    fresh, counts = np.unique(packed[wave == FRESH] + (FIRST - FRESH) * _MS, return_counts=True)
    first = packed[wave == FIRST]
    repeat = np.arange(len(first)) - np.searchsorted(first, first)  # 0, 1, 2 ... among equals
    nearest = np.minimum(np.searchsorted(fresh, first), len(fresh) - 1)
    removed = np.zeros(len(packed), bool)
    if len(fresh):
        removed[wave == FIRST] = (fresh[nearest] == first) & (repeat < counts[nearest])
    return packed[~removed]


def _fill(offsets: Ints) -> Ints:
    """Point an empty first wave at that of the next measured level below.  Same shape."""
    measured = np.any(offsets[..., 1] > offsets[..., 0], axis=2)  # (stages, levels)
    for stage in range(len(offsets)):
        below = None
        for level in np.flatnonzero(measured[stage]):
            start, stop = offsets[stage, level, FIRST]
            if start == stop and below is not None:
                offsets[stage, level, FIRST] = below
            below = offsets[stage, level, FIRST].copy()
    return offsets
