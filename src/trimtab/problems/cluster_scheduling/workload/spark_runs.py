# SPDX-License-Identifier: Apache-2.0
"""What ran, as an event log tells it: applications, their jobs, stages and tasks, and who held which slot when.

A *run* is one job in trimtab's sense: one SQL execution with all its Spark jobs,
or one Spark job outside SQL.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trimtab.core.errors import InvalidInstance

from . import spark_events as ev

Unfinished = Literal["refuse", "drop"]

_OVERLAP_MS = 1000  # that a task may have with the one before it in its slot: the driver hears of ends late


@dataclass(slots=True)
class Task:
    index: int
    launch: int  # ms since 1970, as all times here
    finish: int
    executor: str
    succeeded: bool
    slot: int = -1  # one of the application's
    free_since: int = 0  # when its slot had finished what it did before


@dataclass(slots=True)
class Stage:
    id: int
    num_tasks: int
    parents: tuple[int, ...]
    operators: tuple[str, ...]  # what Spark calls the parts of its plan: "Exchange", "Scan parquet lineitem"
    tasks: list[Task] = field(default_factory=list)


@dataclass(slots=True)
class SparkJob:
    id: int
    submitted: int
    stages: list[Stage] = field(default_factory=list)  # those that ran: not the skipped ones
    ended: int = -1
    failed: bool = False


@dataclass(slots=True)
class Run:
    name: str
    arrival: int
    completion: int = -1
    jobs: list[SparkJob] = field(default_factory=list)
    failed: bool = False
    is_sql: bool = False


@dataclass
class Application:
    """All that one event log holds."""

    where: str
    runs: list[Run] = field(default_factory=list)
    changes: list[tuple[int, int]] = field(default_factory=list)  # (time, slots more or fewer)
    master: str = ""
    skipped: list[str] = field(default_factory=list)  # runs that were left out, and why

    @property
    def slots(self) -> int:
        """The most task slots that it had at once."""
        return most_slots([self])

    @property
    def is_local(self) -> bool:
        """Are the executors threads of one JVM, so that none ever starts afresh?"""
        return self.master.startswith("local")


def read_application(files: Sequence[Path], *, unfinished: Unfinished = "refuse") -> Application:
    """One event log.

    A log that breaks off, or a job that never ends, raises `InvalidInstance`
    unless `unfinished` jobs are to be dropped. Failed jobs are left out and named
    in `skipped`.
    """
    where = f"event log {files[0].parent if len(files) > 1 else files[0]}"
    reader = _Reader(Application(where))
    cut = ""
    try:
        for place, event in ev.events(files):
            reader.take(place, event)
    except ev.CutOff as error:
        cut = str(error)
    reader.finish(cut, unfinished)
    return reader.application


class _Reader:
    """Puts the events of one log together."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.sql: dict[int, Run] = {}
        self.runs: dict[int, Run] = {}  # by Spark job
        self.jobs: dict[int, SparkJob] = {}
        self.stages: dict[int, Stage] = {}
        self.owner: dict[int, SparkJob] = {}  # of a stage: the first job that has it
        self.cores: dict[str, int] = {}
        self.task_cpus = 1

    def take(self, where: str, event: ev.Event) -> None:
        match event:
            case ev.TaskEnd():
                self._task(where, event)
            case ev.JobStart():
                self._job(where, event)
            case ev.JobEnd():
                self._job_end(event)
            case ev.SQLExecutionStart():
                self._execution(event)
            case ev.SQLExecutionEnd():
                if run := self.sql.get(event.execution_id):
                    run.completion = max(run.completion, event.time)
                    run.failed |= bool(event.error_message)
            case ev.ExecutorAdded():
                self._executor(event)
            case ev.ExecutorRemoved():
                slots = self.cores.get(event.executor_id, 0) // self.task_cpus
                self.application.changes.append((event.timestamp, -slots))
            case ev.EnvironmentUpdate():
                self.application.master = str(event.spark_properties.get("spark.master", ""))
                self.task_cpus = _positive(where, "spark.task.cpus", event.spark_properties.get("spark.task.cpus", 1))

    def _execution(self, event: ev.SQLExecutionStart) -> None:
        root = self.sql.get(event.root_execution_id) if event.root_execution_id is not None else None
        if root is None:
            root = Run(event.description or f"sql-{event.execution_id}", event.time, is_sql=True)
            self.application.runs.append(root)
        self.sql[event.execution_id] = root

    def _executor(self, event: ev.ExecutorAdded) -> None:
        self.cores[event.executor_id] = event.executor_info.total_cores
        slots = event.executor_info.total_cores // self.task_cpus
        self.application.changes.append((event.timestamp, slots))

    def _job(self, where: str, event: ev.JobStart) -> None:
        properties = event.properties or {}
        execution = str(properties.get("spark.sql.execution.id", ""))
        run = self.sql.get(int(execution)) if execution.isdecimal() else None
        if run is None:
            name = str(properties.get("spark.job.description") or f"job-{event.job_id}")
            run = Run(name, event.submission_time)
            self.application.runs.append(run)
        if event.job_id in self.jobs:
            raise InvalidInstance(f"{where}: job {run.name!r}, field 'Job ID': {event.job_id} started twice")
        job = self.jobs[event.job_id] = SparkJob(event.job_id, event.submission_time)
        self.runs[event.job_id] = run
        run.jobs.append(job)
        for info in event.stage_infos:
            if info.stage_id not in self.stages:
                self.stages[info.stage_id] = _stage(info)
                self.owner[info.stage_id] = job

    def _job_end(self, event: ev.JobEnd) -> None:
        if event.job_id not in self.jobs:
            return  # started before this log
        job, run = self.jobs[event.job_id], self.runs[event.job_id]
        job.ended, job.failed = event.completion_time, event.job_result.result != "JobSucceeded"
        if not run.is_sql:
            run.completion, run.failed = job.ended, job.failed

    def _task(self, where: str, event: ev.TaskEnd) -> None:
        stage = self.stages.get(event.stage_id)
        if stage is None:
            return  # of a job that started before this log
        info, job = event.task_info, self.owner[event.stage_id]
        subject = f"{where}: job {self.runs[job.id].name!r}, stage {stage.id}, task {info.index}"
        if info.finish_time < info.launch_time:
            raise InvalidInstance(
                f"{subject}, field 'Finish Time': {info.finish_time} is before its launch at {info.launch_time}"
            )
        if info.executor_id not in self.cores:
            raise InvalidInstance(f"{subject}, field 'Executor ID': {info.executor_id!r} was never added")
        if stage not in job.stages:
            job.stages.append(stage)
        succeeded = event.task_end_reason.reason == "Success"
        stage.tasks.append(Task(info.index, info.launch_time, info.finish_time, info.executor_id, succeeded))

    def finish(self, cut: str, unfinished: Unfinished) -> None:
        """Check that everything ended, drop what is of no use, give each task its slot."""
        app = self.application
        open_runs = [run for run in app.runs if run.completion < 0 or any(job.ended < 0 for job in run.jobs)]
        if unfinished == "refuse" and (cut or open_runs):
            which = (
                f"job {open_runs[0].name!r}, field 'Completion Time': the log ends before the job" if open_runs else ""
            )
            raise InvalidInstance("; ".join(filter(None, (cut or app.where, which))))
        self._place_tasks()
        ran = [run for run in app.runs if run not in open_runs and any(job.stages for job in run.jobs)]
        app.skipped = [f"{app.where}: job {run.name!r} failed" for run in ran if run.failed]
        app.runs = [run for run in ran if not run.failed]

    def _place_tasks(self) -> None:
        """Spark doesn't say which slot of an executor a task takes: the one that has been free for longest."""
        slots: dict[str, list[tuple[int, int]]] = {}
        count = 0
        tasks = [(task, stage) for stage in self.stages.values() for task in stage.tasks]
        for task, stage in sorted(tasks, key=lambda pair: (pair[0].launch, pair[0].finish)):
            free = slots.get(task.executor)
            if free is None:
                number = max(1, self.cores[task.executor] // self.task_cpus)
                free = slots[task.executor] = [(0, count + slot) for slot in range(number)]
                count += number
            task.free_since, task.slot = free[0]
            if min(task.free_since, task.finish) - task.launch > _OVERLAP_MS:
                raise InvalidInstance(
                    f"{self.application.where}: job {self.runs[self.owner[stage.id].id].name!r}, stage {stage.id}, "
                    f"task {task.index}, field 'Launch Time': more tasks at once than the {len(free)} task slots of "
                    f"executor {task.executor!r} (its 'Total Cores' over 'spark.task.cpus')"
                )
            heapq.heapreplace(free, (task.finish, task.slot))


def most_slots(applications: Iterable[Application]) -> int:
    """The largest number of task slots that there were at once."""
    changes: dict[int, int] = defaultdict(int)
    for application in applications:
        for time, change in application.changes:
            changes[time] += change
    held = most = 0
    for time in sorted(changes):
        held += changes[time]
        most = max(most, held)
    return most


def _stage(info: ev.StageInfo) -> Stage:
    operators = {rdd.operator for rdd in info.rdd_info}
    return Stage(info.stage_id, info.number_of_tasks, tuple(info.parent_ids), tuple(sorted(operators)))


def _positive(where: str, name: str, value: Any) -> int:
    text = str(value)
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInstance(f"{where}: {name!r} is {text!r}, not a number of cores")
    return int(text)
