# SPDX-License-Identifier: Apache-2.0
"""A small aptdb, and a PostgreSQL and a DuckDB that hold it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import MissingTool
from trimtab.problems.join_ordering.system.server import load_database, temporary_server
from trimtab.problems.join_ordering.system.session import Address, Session, connect
from trimtab.problems.join_ordering.workload.aptdb.tables import TABLES, tables_of
from trimtab.problems.join_ordering.workload.database import Database, into_duckdb, write_csv_database

from .packages import small_index


@pytest.fixture(scope="session")
def small_aptdb(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """400 made-up packages."""
    return write_csv_database(tmp_path_factory.mktemp("db") / "aptdb", TABLES, tables_of(small_index(400)))


@pytest.fixture(scope="session")
def duck(small_aptdb: Database) -> Iterator[Any]:
    connection = into_duckdb(small_aptdb)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def dsn(small_aptdb: Database) -> Iterator[str]:
    """A server of its own; its log (`server_log`) has every statement."""
    try:
        with temporary_server({"log_statement": "all", "log_min_messages": "log"}) as address:
            load_database(address, small_aptdb)
            yield address
    except MissingTool as missing:
        pytest.skip(str(missing))


@pytest.fixture
def session(dsn: str) -> Iterator[Session]:
    with connect(Address(dsn)) as opened:
        yield opened


@pytest.fixture
def server_log(dsn: str) -> Path:
    return Path(dsn.split()[0].removeprefix("host="), "log")
