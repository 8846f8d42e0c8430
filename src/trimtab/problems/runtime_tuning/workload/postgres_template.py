# SPDX-License-Identifier: Apache-2.0
"""The data directory of a stopped PostgreSQL server with the tables of ``programs/template.sql``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trimtab.core.extras import need
from trimtab.kit.postgresql import temporary_server


def make(folder: Path, script: Path) -> None:
    """Fill an empty folder with ``data``."""
    psycopg = need("psycopg", extra="sql", purpose="the tables of a PostgreSQL to tune")
    with (
        temporary_server({"autovacuum": "off"}, initdb=("--wal-segsize=1",), keep=folder / "data") as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        for statement in statements(script.read_text()):
            connection.execute(statement)


def statements(text: str) -> Iterator[str]:
    """The statements of a script without comments in lines and without ``;`` in literals."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    yield from (statement for part in "\n".join(lines).split(";") if (statement := part.strip()))
