# SPDX-License-Identifier: Apache-2.0
"""The tables of the Alibaba trace, from either of the data sets that hold them.

``alibaba-2018-half-hour`` is small, but nobody publishes it in that form;
``alibaba-2018-hour`` is the Python package spar, which anybody can fetch. The
first half hour of the second is the first, and gives the same jobs.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import MissingData
from trimtab.core.extras import need
from trimtab.data import locate

SPAN_S: Final = 1800
SAMPLES: Final = "spar/data/samples"  # in the package
_WANTED: Final = {
    "tasks": ("submit_s", "job", "task"),
    "instances": ("job", "task", "duration_s"),
}


def tables() -> tuple[Any, Any]:
    """(tasks, instances) as pyarrow tables with the columns of `_WANTED`; jobs are called ``j_N`` in both.

    Raises `MissingData` when neither data set is here.
    """
    try:
        return small(
            locate("alibaba-2018-half-hour", "alibaba2018_half_hour_tasks.parquet"),
            locate("alibaba-2018-half-hour", "alibaba2018_half_hour_instances.parquet"),
        )
    except MissingData:
        return package(locate("alibaba-2018-hour", "spar-0.0.7-py3-none-any.whl"))


def small(tasks: Path, instances: Path) -> tuple[Any, Any]:
    parquet, pc = _pyarrow("parquet"), _pyarrow("compute")
    rows = parquet.read_table(instances, columns=list(_WANTED["instances"]))
    names = pc.binary_join_element_wise("j", pc.cast(rows.column("job"), "string"), "_")
    return parquet.read_table(tasks, columns=list(_WANTED["tasks"])), rows.set_column(0, "job", names)


def package(wheel: Path) -> tuple[Any, Any]:
    """The first `SPAN_S` seconds of the hour in the package's sample."""
    pc = _pyarrow("compute")
    columns = ["submit_s", "job", "task", "duration_s", "cpu", "memory", "instances"]
    tasks = _csv(wheel, f"{SAMPLES}/sample_tasks.csv", columns, _WANTED["tasks"])
    columns = ["submit_s", "job", "task", "instance", "duration_s", "cpu", "memory"]
    rows = _csv(wheel, f"{SAMPLES}/sample_instances.csv", columns, _WANTED["instances"])
    tasks = tasks.filter(pc.less(tasks.column("submit_s"), SPAN_S))
    return tasks, rows.filter(pc.is_in(rows.column("job"), pc.unique(tasks.column("job"))))


def _csv(wheel: Path, member: str, columns: list[str], wanted: tuple[str, ...]) -> Any:
    csv = _pyarrow("csv")
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
        return csv.read_csv(
            stream,
            read_options=csv.ReadOptions(column_names=columns, use_threads=False),
            convert_options=csv.ConvertOptions(include_columns=list(wanted)),
        )


def _pyarrow(part: str) -> Any:
    return need(f"pyarrow.{part}", extra="tables", purpose="the Alibaba trace")
