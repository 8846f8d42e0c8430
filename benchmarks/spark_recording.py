# SPDX-License-Identifier: Apache-2.0
"""Records TPC-H queries on a quiet Spark for `cluster_scheduling_fidelity`: alone, and in streams."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.problems.cluster_scheduling.system import Query, play
from trimtab.problems.cluster_scheduling.workload import spark_tpch

CORES: Final = 2
MODES: Final = ("fifo", "fair")
OTHERS = 0.04  # share of the machine; a run with more of it used by other processes is not counted
TICKS = 3  # by which the counters may be wrong
LOAD = 1.8  # mean completion alone / mean gap between arrivals

#: What Spark would do besides running the queries, kept out of the measurement.
QUIET: Final = {
    # 22 queries have more than the 100 generated classes that Spark keeps: each run would compile its own again
    "spark_sql_codegen_cache_maxEntries": "5000",
    # by default each sort and each aggregation of a task takes 64 MB to begin with: a gigabyte a second to collect
    "spark_buffer_pageSize": "2m",
    "spark_driver_memory": "9g",
    # the heap is there from the start and holds a pass; nothing of it is resized or given back
    "spark_driver_extraJavaOptions": "-XX:+UseParallelGC -XX:-UseAdaptiveSizePolicy -Xms9g -Xmn5g -XX:+AlwaysPreTouch"
    " -XX:MetaspaceSize=1g -XX:ReservedCodeCacheSize=512m",
    # queries in one pool are scheduled first in, first out: both of Spark's schedulers in one session
    "spark_scheduler_mode": "FAIR",
    "spark_eventLog_includeTaskMetricsAccumulators": "false",  # we read times only
}

Floats = NDArray[np.float64]


def record(work: Path, scale: float, names: Sequence[str], plan: Plan) -> None:
    """All runs, in one session. Logs appear in `work` only when all is done."""
    logs = work / "logs.partial"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    data = spark_tpch.generate(scale, work.parent / "data")
    settings = {**spark_tpch.event_log(logs), **QUIET}
    with (
        tempfile.TemporaryDirectory(dir=_memory_folder()) as local,
        spark_tpch.session(CORES, Path(local), **settings) as session,
    ):
        spark_tpch.open_tables(session, scale, data)
        recorder = _Recorder(session, scale, names)
        recorder.record(plan)
    (work / "disturbed.json").write_text(json.dumps(recorder.disturbed))
    logs.rename(work / "logs")


def _memory_folder() -> Path | None:
    """For shuffle files: the disk has no part in the measurement."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > 4e9 else None


@dataclass(frozen=True)
class Plan:
    """How often each thing is done."""

    warm_up: int  # passes over all queries until the JVM's code has settled
    repeats: int  # passes for the profile, and as many to predict
    streams: int  # of each scheduler
    plays: int  # of each stream
    limit_s: float  # after it, no further stream or turn is begun
    size: int = 8


class _Recorder:
    """Kinds of runs take turns, so that none has a warmer machine than another."""

    def __init__(self, session: Any, scale: float, names: Sequence[str]) -> None:
        self.session, self.scale, self.names = session, scale, names
        self.rng = np.random.default_rng(22)
        self.machine = Machine([os.getpid(), int(session._jvm.java.lang.ProcessHandle.current().pid())])
        self.disturbed: list[str] = []  # labels of runs during which other processes worked

    def record(self, plan: Plan) -> None:
        end = time.monotonic() + plan.limit_s
        mean_s = min(self._pass("warm-up") for _ in range(plan.warm_up))
        streams = {f"{mode}{i}": self._draw(plan.size, mean_s / LOAD) for i in range(plan.streams) for mode in MODES}
        self._play("warm-up", self._draw(plan.size, mean_s / LOAD), in_pools=True)
        for turn in range(max(plan.repeats, plan.plays)):
            for kind in ("profile", "alone") if turn < plan.repeats else ():
                self._pass(f"{kind}.{turn}")
            for kind, stream in streams.items() if turn < plan.plays else ():
                self._play(f"{kind}.{turn}", stream, in_pools=kind.startswith("fair"))
                if time.monotonic() > end:
                    break
            if time.monotonic() > end:
                print(f"time is up in turn {turn + 1}", flush=True)
                break

    def _pass(self, kind: str) -> float:
        """Every query once, alone; mean completion, s."""
        order = self.rng.permutation(self.names)
        took = [self._measured(kind, [(0.0, str(name))], in_pools=False)[0] for name in order]
        self._tidy(kind, f"mean completion {np.mean(took):.3f} s")
        return float(np.mean(took))

    def _play(self, kind: str, arrivals: list[tuple[float, str]], *, in_pools: bool) -> None:
        took = self._measured(kind, arrivals, in_pools=in_pools)
        self._tidy(kind, f"done after {took.max():.1f} s")

    def _measured(self, kind: str, arrivals: list[tuple[float, str]], *, in_pools: bool) -> Floats:
        """Up to three times, until it is not disturbed."""
        for attempt in ("", "-again", "-thrice"):
            took, quiet = self._once(kind + attempt, arrivals, in_pools=in_pools)
            if quiet or kind == "warm-up":
                break
        return took

    def _once(self, kind: str, arrivals: list[tuple[float, str]], *, in_pools: bool) -> tuple[Floats, bool]:
        """Completion times, s; were there no other processes?"""
        labels = [f"{kind} {spark_tpch.job_name(self.scale, name)}" for _, name in arrivals]
        self.machine.look()
        queries = [Query(at, self.scale, name, label) for (at, name), label in zip(arrivals, labels, strict=True)]
        done = play(self.session, queries, in_pools=in_pools)
        others = self.machine.look()
        if others > OTHERS:
            self.disturbed += labels
            print(f"{kind} {arrivals[0][1]}: other processes had {others:.0%} of the machine; left out", flush=True)
        return done, others <= OTHERS

    def _draw(self, size: int, gap_s: float) -> list[tuple[float, str]]:
        arrivals = np.cumsum(self.rng.exponential(gap_s, size))
        chosen = self.rng.choice(self.names, size)
        return [(float(at - arrivals[0]), str(name)) for at, name in zip(arrivals, chosen, strict=True)]

    def _tidy(self, kind: str, said: str) -> None:
        """Collect garbage now rather than during a run that is measured."""
        compiling_ms = self.session._jvm.java.lang.management.ManagementFactory.getCompilationMXBean()
        self.session._jvm.java.lang.System.gc()
        print(f"{kind}: {said}; compiled for {compiling_ms.getTotalCompilationTime() / 1000:.1f} s so far", flush=True)


class Machine:
    """How much of the CPUs others than some processes had, from Linux' counters (proc(5))."""

    def __init__(self, ours: Sequence[int]) -> None:
        self.ours = ours
        self._before = (0, 0, 0)
        self.look()

    def look(self) -> float:
        """Since the last look: the share of all CPU time that others worked, or the host withheld."""
        user, nice, system, idle, wait, *more = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        total = user + nice + system + idle + wait + sum(more)
        now = (total, total - idle - wait, sum(self._own(pid) for pid in self.ours))
        passed, busy, own = (a - b for a, b in zip(now, self._before, strict=True))
        self._before = now
        return max(0, busy - own - TICKS) / max(1, passed)

    @staticmethod
    def _own(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
