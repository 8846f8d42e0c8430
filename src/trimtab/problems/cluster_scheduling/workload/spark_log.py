# SPDX-License-Identifier: Apache-2.0
"""Spark event logs -> job profiles, and the stream of jobs as it was.

How a run of Spark becomes a `JobProfile`:

* **Stages** that ran, with their parents; skipped ones (their output was there)
  are left out. Several Spark jobs of one SQL execution (broadcasts, samples for
  a sort, subqueries) are one DAG: a Spark job comes after those that had ended
  before it was submitted, in every run of the query.
* **The driver** works too: it plans, builds broadcast tables, compiles code, and
  meanwhile the job has nothing to run. Before each group of Spark jobs with the same
  predecessors stands a stage of one task with that duration (`JobProfile.driver`). In
  Decima's model it holds an executor; `simulator.spark` knows that it needs none.
* **A task's duration** is the time it kept its slot: from when the slot was free and
  the stage was ready, to its end. So the gap in which Spark launches a stage is
  part of the stage's first tasks, as in Decima's first waves.
* **Waves**: an executor is a task slot. In local mode all slots are one JVM, no
  executor is ever fresh, and the two waves share their measurements.
* **Level**: the most slots that the job held at once.
* A query seen several times, in one log or in several, is one profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import Floats, JobProfile, JobStream
from .spark_events import log_files
from .spark_profiles import profiles_of
from .spark_runs import Application, Run, Unfinished, most_slots, read_application


@dataclass(frozen=True, eq=False)
class SparkLog:
    """What event logs hold."""

    profiles: tuple[JobProfile, ...]
    stream: JobStream  # the jobs at their submission times, on as many executors as there were task slots
    completion_s: Floats  # (jobs,) observed: from submission to end
    skipped: tuple[str, ...]  # jobs that were left out, and why


def read_event_log(paths: Sequence[Path], *, unfinished: Unfinished = "refuse") -> SparkLog:
    """Read event logs of one or several applications: files, rolling logs, directories of them.

    Jobs of several logs arrive on one clock. A log that is damaged or cut off
    raises `InvalidInstance` with the line, the job and the field; with
    ``unfinished="drop"`` a cut-off log (an application that still runs, or was
    killed) gives its finished jobs.
    """
    logs = [files for path in paths for files in log_files(Path(path))]
    return combined([read_application(files, unfinished=unfinished) for files in logs])


def combined(applications: Sequence[Application]) -> SparkLog:
    """Applications on one clock."""
    runs = sorted(
        ((run, application) for application in applications for run in application.runs),
        key=lambda pair: pair[0].arrival,
    )
    if not runs:
        names = ", ".join(application.where for application in applications)
        raise InvalidInstance(f"{names}: there are no finished jobs with tasks")
    profiles, jobs = profiles_of([(run, application.is_local) for run, application in runs])
    return SparkLog(
        profiles=profiles,
        stream=_stream(profiles, jobs, [run for run, _ in runs], applications),
        completion_s=np.array([(run.completion - run.arrival) / 1000 for run, _ in runs]),
        skipped=tuple(line for application in applications for line in application.skipped),
    )


def _stream(
    profiles: tuple[JobProfile, ...], jobs: Sequence[int], runs: Sequence[Run], applications: Sequence[Application]
) -> JobStream:
    """Jobs of one application share its executors, so nothing moves between JVMs; others' do."""
    arrival = np.array([run.arrival for run in runs], np.float64)
    delays = {"moving_delay_ms": 0.0, "warmup_delay_ms": 0.0} if len(applications) == 1 else {}
    return JobStream(profiles, np.array(jobs), arrival - arrival[0], most_slots(applications), **delays)
