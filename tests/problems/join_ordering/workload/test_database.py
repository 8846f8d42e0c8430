# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.workload.database import (
    Database,
    Table,
    into_duckdb,
    open_database,
    write_csv_database,
)


def test_a_database_comes_back_as_it_was_written(tmp_path: Path):
    table = Table("t", {"id": "INTEGER", "name": "TEXT"}, "id", {})
    rows = [(1, 'a "quoted", text'), (2, None), (3, "line\nbreak")]
    write_csv_database(tmp_path / "db", [table], {"t": rows})
    database = open_database(tmp_path / "db")
    assert database.tables == (table,)
    assert into_duckdb(database).execute("SELECT * FROM t ORDER BY id").fetchall() == rows


def test_nothing_half_written_stays(tmp_path: Path):
    def broken() -> Any:
        yield (1,)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_csv_database(tmp_path / "db", [Table("t", {"id": "INTEGER"})], {"t": broken()})
    assert list(tmp_path.iterdir()) == []


def test_foreign_keys_hold_in_aptdb(small_aptdb: Database, duck: Any):
    for table, column, other, key in small_aptdb.foreign_keys():
        lost = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {other})"
        assert duck.execute(lost).fetchone() == (0,), (table, column)


@pytest.mark.parametrize(
    "schema",
    [
        "[",
        "{}",
        '[{"name": "t"}]',
        '[{"name": "t; DROP TABLE x", "columns": {"a": "TEXT"}, "key": "", "references": {}}]',
        '[{"name": "t", "columns": {"a": "TEXT); DROP TABLE x; --"}, "key": "", "references": {}}]',
        '[{"name": "t", "columns": {"a": "TEXT"}, "key": "b", "references": {}}]',
    ],
)
def test_hostile_schemas_are_refused(schema: str, tmp_path: Path):
    (tmp_path / "schema.json").write_text(schema)
    with pytest.raises(InvalidInstance):
        open_database(tmp_path)


def test_what_is_missing_or_wrong_in_a_folder_is_said(tmp_path: Path):
    with pytest.raises(InvalidInstance, match=r"no schema\.json"):
        open_database(tmp_path)
    described = [{"name": "t", "columns": {"a": "INTEGER"}, "key": "", "references": {}}]
    (tmp_path / "schema.json").write_text(json.dumps(described))
    with pytest.raises(InvalidInstance, match="file of table 't' is missing"):
        into_duckdb(open_database(tmp_path))
    (tmp_path / "t.csv").write_text("not a number\n")
    with pytest.raises(InvalidInstance, match="table 't'"):
        into_duckdb(open_database(tmp_path))
