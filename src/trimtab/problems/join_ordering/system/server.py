# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of one's own for measuring, and a database loaded into it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trimtab.core.extras import need
from trimtab.kit import postgresql

from ..workload.database import Database, Table

#: Stock PostgreSQL, but for what a measurement needs: one process per query (its on-CPU time is all of it), no
#: compilation of expressions, and nothing that wakes up in between.
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "max_connections": "8",
    "logging_collector": "off",
    "log_min_messages": "fatal",
}


@contextmanager
def temporary_server(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The DSN of a fresh, empty server with `SETTINGS`, and with those given on top."""
    with postgresql.temporary_server({**SETTINGS, **(settings or {})}) as dsn:
        yield dsn


def load_database(dsn: str, database: Database) -> None:
    """Create and fill the tables of a server of one's own, index keys and foreign keys, and gather statistics."""
    psycopg = need("psycopg", extra="sql", purpose="talking to PostgreSQL")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in database.tables:
            columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
            connection.execute(f"CREATE TABLE {table.name} ({columns})")
            with connection.cursor().copy(f"COPY {table.name} FROM STDIN (FORMAT csv)") as copy:
                for chunk in csv_chunks(database, table):
                    copy.write(chunk)
            if table.key:
                connection.execute(f"ALTER TABLE {table.name} ADD PRIMARY KEY ({table.key})")
            for column in table.references:
                connection.execute(f"CREATE INDEX ON {table.name} ({column})")
        connection.execute("VACUUM ANALYZE")


def csv_chunks(database: Database, table: Table) -> Iterator[bytes]:
    """A table's file as CSV; Parquet is converted by DuckDB."""
    path = database.file(table.name)
    if path.suffix == ".csv":
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk
        return
    duckdb = need("duckdb", extra="sql", purpose="reading Parquet")
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder, "table.csv")
        with duckdb.connect() as connection:
            source = f"SELECT * FROM read_parquet({_literal(path)})"
            connection.execute(f"COPY ({source}) TO {_literal(converted)} (FORMAT csv, HEADER false)")
        with converted.open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
