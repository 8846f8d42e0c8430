# SPDX-License-Identifier: Apache-2.0
"""TPC-H on Spark in local mode: its tables, its 22 queries, and a session that runs them.

The queries are in ``tpch/q1.sql`` to ``q22.sql``, with the specification's
validation parameters; at scale factor 1 they return as many rows as its answers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import InvalidInstance, MissingExtra, TrimtabError
from trimtab.core.extras import need, need_tool, tool_version

TABLES: Final = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
QUERIES: Final = tuple(f"q{number}" for number in range(1, 23))

#: Static DAGs, and a small copy of a large cluster's proportions: 2 MB splits and
#: 16 reducers give stages of 1 to 100 tasks, and only tables under 1 MB are broadcast.
SETTINGS: Final[Mapping[str, str]] = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.files.maxPartitionBytes": "2m",
    "spark.sql.shuffle.partitions": "16",
    "spark.sql.autoBroadcastJoinThreshold": "1m",
}
_QUIET: Final[Mapping[str, str]] = {
    "spark.eventLog.enabled": "false",  # said, since a JVM keeps the settings of its first session as defaults
    "spark.scheduler.mode": "FIFO",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


@cache
def query(name: str) -> str:
    """The Spark SQL of ``"q1"`` to ``"q22"``."""
    return (Path(__file__).parent / "tpch" / f"{name}.sql").read_text()


def job_name(scale: float, name: str) -> str:
    """``"tpch-0.1g-q5"``: one GB of data is scale factor 1."""
    return f"tpch-{scale:g}g-{name}"


def parse_job_name(name: str) -> tuple[float, str]:
    """The scale factor and the query of a `job_name`."""
    match = re.fullmatch(r"tpch-(\d+(?:\.\d+)?)g-(q\d+)", name)
    if match is None or match[2] not in QUERIES:
        raise InvalidInstance(f"job {name!r}, field 'name': not a TPC-H query that can be run, like 'tpch-0.1g-q5'")
    return float(match[1]), match[2]


def database(scale: float) -> str:
    """Where `open_tables` puts the tables: ``tpch_0_1``."""
    return f"tpch_{scale:g}".replace(".", "_")


def generate(scale: float, folder: Path) -> Path:
    """The tables at a scale factor as Parquet files under `folder`; made once.

    Row groups of 1 MB let Spark cut a table evenly.
    """
    target = folder / f"sf{scale:g}"
    if target.is_dir():
        return target
    partial = folder / f".sf{scale:g}.{os.getpid()}"
    command = [_tpchgen(), "parquet", "--scale-factor", f"{scale:g}", "--row-group-bytes", "1MB"]
    try:
        done = subprocess.run(
            [*command, "--output-dir", partial, "--quiet"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TrimtabError(f"tpchgen-cli failed at scale factor {scale:g}: {done.stderr.strip()[-500:]}")
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


@contextmanager
def session(cores: int, work: Path, **settings: str) -> Iterator[Any]:
    """A `SparkSession` in local mode with `cores` task slots, stopped at the end.

    `settings` are further Spark properties with ``_`` for ``.``. The JVM lives
    as long as this process, with the memory that the first session asked for, so a
    later one finds its code compiled.
    """
    spark = need("pyspark", extra="spark", purpose="running Spark")
    need_tool("java", debian="openjdk-17-jre-headless", minimum="17", purpose="Spark")
    properties = {**_QUIET, **SETTINGS, **{key.replace("_", "."): value for key, value in settings.items()}}
    properties["spark.local.dir"] = properties["spark.sql.warehouse.dir"] = str(work / "spark")
    configuration = spark.SparkConf().setMaster(f"local[{cores}]").setAppName("trimtab").setAll(properties.items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        running = need("pyspark.sql", extra="spark").SparkSession.builder.config(conf=configuration).getOrCreate()
    try:
        yield running
    finally:
        running.stop()


def open_tables(running: Any, scale: float, data: Path) -> None:
    """Make the tables of a scale factor known, and their database the current one."""
    running.sql(f"CREATE DATABASE IF NOT EXISTS {database(scale)}")
    running.sql(f"USE {database(scale)}")
    for table in TABLES:
        location = (data / f"{table}.parquet").as_uri()
        running.sql(f"CREATE TABLE IF NOT EXISTS {table} USING parquet LOCATION '{location}'")


def event_log(folder: Path) -> dict[str, str]:
    """The settings, for `session`, that make Spark keep one plain event log per application in a folder."""
    return {
        "spark_eventLog_enabled": "true",
        "spark_eventLog_dir": folder.as_uri(),
        "spark_eventLog_compress": "false",
        "spark_eventLog_rolling_enabled": "false",
    }


def tpchgen_version() -> str:
    return tool_version(Path(_tpchgen()))


def _tpchgen() -> str:
    found = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent)) or shutil.which("tpchgen-cli")
    if found is None:
        raise MissingExtra("generating TPC-H needs tpchgen-cli.  pip install 'trimtab[spark]'")
    return found
