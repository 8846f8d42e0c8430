# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance, MissingExtra, MissingTool
from trimtab.core.extras import need, need_tool
from trimtab.problems.cluster_scheduling.problem import METRICS, JobProfile, JobStream
from trimtab.problems.cluster_scheduling.system import Query, Spark, play
from trimtab.problems.cluster_scheduling.workload import spark_tpch

FIFO = SimpleNamespace(name="fifo")


def stream(name: str = "tpch-0.01g-q6", *, jobs: int = 1, slots: int = 1) -> JobStream:
    profile = JobProfile(
        name=name,
        group="q6",
        num_tasks=np.array([1]),
        edges=np.zeros((0, 2), np.int64),
        levels=np.array([1]),
        durations=np.array([100.0]),
        offsets=np.array([[[[0, 1]] * 3]]),
    )
    return JobStream((profile,), np.zeros(jobs, np.int64), np.arange(jobs) * 300.0, slots)


def test_policies_that_spark_lacks_are_infeasible():
    outcome = Spark().evaluate(stream(), SimpleNamespace(name="srpt"), seed=0)
    assert not outcome.feasible
    assert "'srpt'" in outcome.note


def test_what_cannot_be_run_is_said_before_anything_starts(tmp_path: Path):
    backend = Spark(work=tmp_path / "work")
    with pytest.raises(InvalidInstance, match=r"job 'my-job', field 'name'"):
        backend.evaluate(stream("my-job"), FIFO, seed=0)
    many = 1 + (os.cpu_count() or 1)
    with pytest.raises(InvalidInstance, match=rf"'num_executors': {many} task slots"):
        backend.evaluate(replace(stream(), num_executors=many), FIFO, seed=0)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("in_pools", "pools"), [(True, ["000000", "000001"]), (False, ["000000", "000000"])])
def test_each_query_has_a_pool_or_all_have_one(in_pools: bool, pools: list[str]):
    said: list[tuple[str, str]] = []
    context = SimpleNamespace(
        setJobDescription=lambda label: None, setLocalProperty=lambda key, value: said.append((key, value))
    )
    own = SimpleNamespace(sparkContext=context, sql=lambda text: SimpleNamespace(collect=list))
    done = play(
        SimpleNamespace(newSession=lambda: own),
        [Query(at, 0.01, "q6", "label") for at in (0.0, 0.05)],
        in_pools=in_pools,
    )
    assert sorted(said) == [("spark.scheduler.pool", pool) for pool in pools]
    assert (done >= [0.0, 0.05]).all()


@pytest.mark.slow
def test_a_real_stream(tmp_path: Path):
    try:
        need("pyspark", extra="spark", purpose="running Spark")
        need_tool("java", debian="openjdk-17-jre-headless", minimum="17", purpose="Spark")
        spark_tpch.tpchgen_version()
    except (MissingExtra, MissingTool) as missing:
        pytest.skip(str(missing))
    outcome = Spark(memory="1g", work=tmp_path).evaluate(stream(jobs=3), SimpleNamespace(name="fair"), seed=0)
    assert list(outcome.metrics) == [metric.name for metric in METRICS]
    assert 0 < outcome.metrics["average_jct"] <= outcome.metrics["p95_jct"] * 1.001
    assert outcome.metrics["makespan"] >= 0.6
    assert 0 < outcome.metrics["utilisation"] <= 1.05
