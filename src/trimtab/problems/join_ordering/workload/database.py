# SPDX-License-Identifier: Apache-2.0
"""A database as a folder: ``schema.json``, and a CSV or Parquet file for each table. Engines load it from there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_TYPE = re.compile(r"[A-Za-z][A-Za-z ]*(\(\d+(, *\d+)?\))?")


@dataclass(frozen=True)
class Table:
    """A table, its key and its foreign keys. An index on each is what an engine should build."""

    name: str
    columns: Mapping[str, str]  # name -> SQL type, in order
    key: str = ""  # the column that identifies a row, if a single one does
    references: Mapping[str, str] = field(default_factory=dict)  # column -> "table.column"

    def __post_init__(self) -> None:
        for name in (self.name, *self.columns):
            if not _NAME.fullmatch(name):
                raise InvalidInstance(f"table {self.name!r}: {name!r} is not a plain lower-case SQL name")
        for column, kind in self.columns.items():
            if not _TYPE.fullmatch(kind):
                raise InvalidInstance(f"table {self.name!r}, column {column!r}: {kind!r} is not an SQL type")
        for column in (*filter(None, [self.key]), *self.references):
            if column not in self.columns:
                raise InvalidInstance(f"table {self.name!r}: its key {column!r} is not one of its columns")


@dataclass(frozen=True)
class Database:
    """The folder, and what its ``schema.json`` says."""

    folder: Path
    tables: tuple[Table, ...]

    def file(self, table: str) -> Path:
        found = [self.folder / f"{table}{suffix}" for suffix in (".csv", ".parquet")]
        there = next((path for path in found if path.exists()), None)
        if there is None:
            raise InvalidInstance(f"database {self.folder}: the file of table {table!r} is missing")
        return there

    def foreign_keys(self) -> list[tuple[str, str, str, str]]:
        """(table, column, referenced table, its column), sorted."""
        return sorted(
            (table.name, column, *target.split(".", 1))  # type: ignore[misc]
            for table in self.tables
            for column, target in table.references.items()
        )


def write_csv_database(folder: Path, tables: Sequence[Table], rows: Mapping[str, Iterable[Sequence[Any]]]) -> Database:
    """Write all tables; the folder appears whole or not at all. None becomes an empty field, which loads as NULL."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for table in tables:
            with (partial / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows[table.name])
        save_schema(partial, tables)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Database(folder, tuple(tables))


def save_schema(folder: Path, tables: Sequence[Table]) -> None:
    described = [
        {"name": t.name, "columns": dict(t.columns), "key": t.key, "references": dict(t.references)} for t in tables
    ]
    (folder / "schema.json").write_text(json.dumps(described, indent=1) + "\n")


def open_database(folder: Path) -> Database:
    """A database folder that was written before."""
    path = Path(folder) / "schema.json"
    try:
        described = json.loads(path.read_bytes())
        if not isinstance(described, list) or not described:
            raise ValueError("it lists no tables")
        tables = tuple(Table(t["name"], t["columns"], t["key"], t["references"]) for t in described)
    except FileNotFoundError:
        raise InvalidInstance(f"database {folder}: there is no schema.json in it") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInstance(f"database {folder}: schema.json can't be read ({error})") from error
    return Database(Path(folder), tables)


def into_duckdb(database: Database, path: str = ":memory:", *, threads: int = 1) -> Any:
    """A DuckDB connection with every table loaded. Close it when done."""
    duckdb = need("duckdb", extra="sql", purpose="counting and running joins")
    connection = duckdb.connect(path, config={"threads": threads})
    for table in database.tables:
        try:
            _load(connection, table, database.file(table.name))
        except (duckdb.Error, InvalidInstance) as error:
            connection.close()
            raise InvalidInstance(f"database {database.folder}, table {table.name!r}: {error}") from error
    return connection


def _load(connection: Any, table: Table, file: Path) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    connection.execute(f"CREATE TABLE {table.name} ({columns})")
    csv_options = "header=false, nullstr='', all_varchar=true"
    source = f"read_csv(?, {csv_options})" if file.suffix == ".csv" else "read_parquet(?)"
    connection.execute(f"INSERT INTO {table.name} SELECT * FROM {source}", [str(file)])
