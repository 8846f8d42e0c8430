# SPDX-License-Identifier: Apache-2.0
"""Writes Spark event logs by hand, in Spark's own words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SQL = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecution"


class EventLog:
    """Times are ms since the log's epoch."""

    def __init__(self, cores: int = 2, *, master: str = "local[2]", cpus: int = 1, epoch: int = 1_000_000) -> None:
        self.epoch = epoch
        self.lines: list[dict[str, Any]] = [
            {"Event": "SparkListenerLogStart", "Spark Version": "4.0.0"},
            {
                "Event": "SparkListenerEnvironmentUpdate",
                "Spark Properties": {"spark.master": master, "spark.task.cpus": str(cpus)},
            },
        ]
        self.executor("driver", cores)

    def executor(self, name: str, cores: int, at: int = 0) -> EventLog:
        info = {"Host": "here", "Total Cores": cores}
        return self._add("SparkListenerExecutorAdded", Timestamp=at, Executor_ID=name, Executor_Info=info)

    def remove(self, name: str, at: int) -> EventLog:
        return self._add("SparkListenerExecutorRemoved", Timestamp=at, Executor_ID=name, Removed_Reason="")

    def sql(self, number: int, name: str, at: int, root: int | None = None) -> EventLog:
        extra = {} if root is None else {"rootExecutionId": root}
        return self._add(f"{SQL}Start", executionId=number, description=name, time=at, **extra)

    def sql_end(self, number: int, at: int, error: str | None = None) -> EventLog:
        return self._add(f"{SQL}End", executionId=number, time=at, errorMessage=error)

    def job(
        self, number: int, at: int, stages: Sequence[tuple[Any, ...]], sql: int | None = None, name: str = ""
    ) -> EventLog:
        """Stages: (id, number of tasks, parents[, operator])."""
        properties = {} if sql is None else {"spark.sql.execution.id": str(sql)}
        if name:
            properties["spark.job.description"] = name
        infos = [_stage(*stage) for stage in stages]
        return self._add(
            "SparkListenerJobStart", Job_ID=number, Submission_Time=at, Stage_Infos=infos, Properties=properties
        )

    def job_end(self, number: int, at: int, result: str = "JobSucceeded") -> EventLog:
        return self._add("SparkListenerJobEnd", Job_ID=number, Completion_Time=at, Job_Result={"Result": result})

    def task(
        self, stage: int, index: int, launch: int, finish: int, *, reason: str = "Success", executor: str = "driver"
    ) -> EventLog:
        info = {"Task ID": 0, "Index": index, "Executor ID": executor, "Failed": reason != "Success"}
        info |= {"Launch Time": launch + self.epoch, "Finish Time": finish + self.epoch}
        return self._add(
            "SparkListenerTaskEnd",
            Stage_ID=stage,
            Stage_Attempt_ID=0,
            Task_Type="ResultTask",
            Task_End_Reason={"Reason": reason},
            Task_Info=info,
        )

    def tasks(self, stage: int, *spans: tuple[int, int]) -> EventLog:
        for index, (launch, finish) in enumerate(spans):
            self.task(stage, index, launch, finish)
        return self

    def write(self, path: Path) -> Path:
        path.write_text(self.text())
        return path

    def text(self) -> str:
        return "".join(json.dumps(line) + "\n" for line in self.lines)

    def _add(self, event: str, **fields: Any) -> EventLog:
        line: dict[str, Any] = {"Event": event}
        for key, value in fields.items():
            moved = value + self.epoch if key in ("Timestamp", "time") or key.endswith("_Time") else value
            line[key.replace("_", " ")] = moved
        self.lines.append(line)
        return self


def _stage(number: int, tasks: int, parents: Sequence[int], operator: str = "Exchange") -> dict[str, Any]:
    scope = json.dumps({"id": str(number), "name": operator})
    return {
        "Stage ID": number,
        "Stage Attempt ID": 0,
        "Number of Tasks": tasks,
        "Parent IDs": list(parents),
        "RDD Info": [{"RDD ID": number, "Name": "MapPartitionsRDD", "Scope": scope}],
    }
