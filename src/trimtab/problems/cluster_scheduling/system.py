# SPDX-License-Identifier: Apache-2.0
"""The real system: a stream of TPC-H queries on Spark in local mode, under Spark's own FIFO or FAIR scheduler.

Spark can't be told to use another policy, so only decisions that are one of
its two can be evaluated here. An executor of the stream is a task slot, which is a
thread, so there can be no more of them than the machine has cores.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from trimtab.core.errors import InvalidInstance, TrimtabError
from trimtab.core.outcome import Outcome
from trimtab.data.store import cache_folder

from .problem import Floats, JobStream
from .workload import spark_tpch
from .workload.spark_events import log_files
from .workload.spark_runs import read_application

#: Policies of the simulator that Spark has, too: by name, its ``spark.scheduler.mode``.
MODES: Final = {"fifo": "FIFO", "spark_fifo": "FIFO", "fair": "FAIR", "spark_fair": "FAIR"}


@dataclass(frozen=True)
class Query:
    """A query to be submitted `arrival_s` after the start."""

    arrival_s: float
    scale: float
    query: str  # "q5"
    label: str  # its name in the event log


@dataclass(frozen=True)
class Spark:
    """Runs streams of the shipped profiles' queries for real, and measures when each is done.

    Each distinct query runs once before, unmeasured, so that Spark has compiled
    its code. Completion is what the submitting program sees: the result is there.
    """

    exclusive: ClassVar[bool] = True  # times the machine: nothing else may run
    memory: str = "2g"  # of the Java machine
    work: Path | None = None  # for generated tables; by default trimtab's cache

    def evaluate(self, instance: JobStream, decision: Any, *, seed: int) -> Outcome:
        """The metrics of the stream; `seed` has no part in it. Other policies than Spark's are infeasible."""
        name = getattr(decision, "name", type(decision).__name__)
        mode = MODES.get(name)
        if mode is None:
            return Outcome({}, feasible=False, note=f"Spark can't schedule by {name!r}; it has fifo and fair")
        work = self.work or cache_folder() / "spark"
        queries = _queries(instance)
        with tempfile.TemporaryDirectory() as logs:
            settings = {**spark_tpch.event_log(Path(logs)), "spark_driver_memory": self.memory}
            with prepared(queries, instance.num_executors, mode, work, **settings) as session:
                done_s = play(session, queries)
            busy_s = _busy_s(Path(logs), queries)
        return Outcome(_metrics(instance, done_s, busy_s))


@contextmanager
def prepared(queries: Sequence[Query], cores: int, mode: str, work: Path, **settings: str) -> Iterator[Any]:
    """A warm session: tables made, each distinct query run once."""
    _check_cores(cores)
    work.mkdir(parents=True, exist_ok=True)
    data = {scale: spark_tpch.generate(scale, work / "data") for scale in sorted({query.scale for query in queries})}
    with spark_tpch.session(cores, work, spark_scheduler_mode=mode, **settings) as session:
        for scale, tables in data.items():
            spark_tpch.open_tables(session, scale, tables)
            session.sparkContext.setJobDescription("warm-up")
            for name in sorted({query.query for query in queries if query.scale == scale}):
                session.sql(spark_tpch.query(name)).collect()
        yield session


def play(session: Any, queries: Sequence[Query], *, in_pools: bool = True) -> Floats:
    """Submit each query at its time, from a thread of its own; when each was done, s after the start.

    Under FAIR each has a pool, named by its place in the stream; or all have one,
    which treats them as under FIFO.
    """
    sessions = [_own_session(session, query) for query in queries]
    with ThreadPoolExecutor(max_workers=len(queries)) as threads:
        start = time.perf_counter() + 0.1 + 0.002 * len(queries)
        try:
            pools = [f"{place if in_pools else 0:06d}" for place in range(len(queries))]
            return np.array(list(threads.map(_submit, sessions, queries, pools, [start] * len(queries))))
        except Exception as error:
            raise TrimtabError(f"Spark failed: {str(error)[:500]}") from error


def _own_session(session: Any, query: Query) -> Any:
    own = session.newSession()
    own.sql(f"USE {spark_tpch.database(query.scale)}")
    return own


def _submit(session: Any, query: Query, pool: str, start: float) -> float:
    context = session.sparkContext
    context.setJobDescription(query.label)
    context.setLocalProperty("spark.scheduler.pool", pool)
    time.sleep(max(0.0, start + query.arrival_s - time.perf_counter()))
    session.sql(spark_tpch.query(query.query)).collect()
    return time.perf_counter() - start


def _queries(stream: JobStream) -> list[Query]:
    found = []
    for at, (job, arrival_ms) in enumerate(zip(stream.jobs, stream.arrival_ms, strict=True)):
        name = stream.profiles[job].name
        scale, query = spark_tpch.parse_job_name(name)
        found.append(Query(float(arrival_ms) / 1000, scale, query, label=f"{at}-{name}"))
    return found


def _check_cores(wanted: int) -> None:
    there = os.cpu_count() or 1
    if wanted > there:
        raise InvalidInstance(
            f"job stream, field 'num_executors': {wanted} task slots on {there} cores would not run side by side;"
            f" use streams of at most {there} executors with the real system"
        )


def _metrics(stream: JobStream, done_s: Floats, busy_s: float) -> dict[str, float]:
    jct = done_s - stream.arrival_ms / 1000
    makespan = float(done_s.max())
    return {
        "average_jct": float(jct.mean()),
        "p95_jct": float(np.quantile(jct, 0.95)),
        "makespan": makespan,
        "utilisation": busy_s / (makespan * stream.num_executors),
    }


def _busy_s(logs: Path, queries: Sequence[Query]) -> float:
    """Slot time in tasks, by Spark's event log."""
    measured = {query.label for query in queries}
    runs = [run for files in log_files(logs) for run in read_application(files).runs if run.name in measured]
    tasks = [task for run in runs for job in run.jobs for stage in job.stages for task in stage.tasks]
    return sum(task.finish - task.launch for task in tasks) / 1000
