# SPDX-License-Identifier: Apache-2.0
"""A careful connection to PostgreSQL: SELECT, EXPLAIN and SET only, read-only, never without a time limit.

Nothing that is shown holds the password: a server is named by `Address.shown`,
and messages of the driver pass through `Address.clean`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from trimtab.core.errors import InvalidInstance, TrimtabError, UsageError
from trimtab.core.extras import need

from ..sql.catalogue import Catalogue, TableInfo

_ALLOWED: Final = ("SELECT", "EXPLAIN", "SET")
_SETTING: Final = re.compile(r"[a-z_][a-z0-9_.]*")
_SECRET_KEYS: Final = ("password", "sslpassword", "passfile")


class ServerGone(TrimtabError):
    """The connection broke."""


class TimedOut(TrimtabError):
    """A statement met its time limit."""


class Refused(InvalidInstance):
    """The server said no to a statement: its message, cleaned."""


@dataclass(frozen=True)
class Address:
    """Where a server is. Its DSN may hold a password, so it is neither shown nor compared."""

    dsn: str = field(repr=False)

    @property
    def shown(self) -> str:
        """``postgresql://host:port/database``, without user information."""
        known = self._parts()
        host = known.get("host") or known.get("hostaddr") or ""
        port = f":{known['port']}" if "port" in known else ""
        return f"postgresql://{host}{port}/{known.get('dbname', '')}"

    def clean(self, text: str) -> str:
        """`text` without the DSN and its secrets."""
        secrets = [self.dsn, *(str(self._parts().get(key, "")) for key in _SECRET_KEYS)]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text

    def _parts(self) -> Mapping[str, Any]:
        psycopg = need("psycopg", extra="sql", purpose="talking to PostgreSQL")
        conninfo = need("psycopg.conninfo", extra="sql")
        try:
            found: Mapping[str, Any] = conninfo.conninfo_to_dict(self.dsn)
        except psycopg.ProgrammingError:
            raise UsageError(
                "the DSN can't be read: write postgresql://user@host:port/database, or 'host=... dbname=...'"
            ) from None
        return found


@dataclass
class Session:
    """One connection. Settings that were changed are put back by `settings`."""

    address: Address
    connection: Any
    timeout_ms: int

    def rows(self, statement: str, *, timeout_ms: int | None = None) -> list[tuple[Any, ...]]:
        """Run one statement under the session's time limit, or a tighter one for this statement."""
        if timeout_ms is not None and timeout_ms != self.timeout_ms:
            with self.settings({"statement_timeout": str(max(1, timeout_ms))}):
                return self._send(statement)
        return self._send(statement)

    def plan(self, statement: str, *, options: str = "") -> Mapping[str, Any]:
        """What EXPLAIN says of a SELECT: the root node of its plan."""
        found = self.rows(f"EXPLAIN (FORMAT JSON{options}) {statement}")[0][0]
        document = json.loads(found) if isinstance(found, str) else found
        return document[0]["Plan"]  # type: ignore[no-any-return]

    @contextmanager
    def settings(self, wanted: Mapping[str, str]) -> Iterator[None]:
        """Settings of the session, for a while. A tight time limit is set last and lifted first: SET obeys it, too."""
        limit = "statement_timeout"
        for name in sorted(wanted, key=lambda name: name == limit):
            self._send(set_line(name, wanted[name]))
        try:
            yield
        finally:
            if not self.connection.closed:
                if limit in wanted:
                    self._lift()
                for name in wanted:
                    if name != limit:
                        self._send(set_line(name, None))

    def _lift(self) -> None:
        """The session's own time limit. A limit of few ms may stop even this, on a busy machine: then again."""
        for attempt in range(20):
            try:
                self._send(set_line("statement_timeout", str(self.timeout_ms)))
                return
            except TimedOut:
                if attempt == 19:
                    raise

    def check(self, statement: str) -> None:
        """Raises `UsageError` for anything but SELECT, EXPLAIN and SET."""
        word = statement.lstrip(" (\n").split(None, 1)[0].upper() if statement.strip() else ""
        if word not in _ALLOWED:
            raise UsageError(f"only SELECT, EXPLAIN and SET are sent to a server, not {word!r}")

    def _send(self, statement: str) -> list[tuple[Any, ...]]:
        self.check(statement)
        psycopg = need("psycopg", extra="sql", purpose="talking to PostgreSQL")
        try:
            cursor = self.connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
        except psycopg.errors.QueryCanceled as error:
            raise TimedOut(f"{self.address.shown}: stopped at its time limit: {statement[:80]}") from error
        except psycopg.OperationalError as error:
            raise ServerGone(f"{self.address.shown}: the server went away ({self._said(error)})") from None
        except psycopg.Error as error:
            raise Refused(f"{self.address.shown}: {self._said(error)}, in: {statement[:200]}") from None

    def _said(self, error: Exception) -> str:
        return self.address.clean(" ".join(str(error).split()))[:300]


def set_line(name: str, value: str | None) -> str:
    """``SET name = 'value'``; None puts the server's own value back."""
    if not _SETTING.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of a setting")
    return f"SET {name} TO DEFAULT" if value is None else f"SET {name} = '" + value.replace("'", "''") + "'"


@contextmanager
def connect(address: Address, *, timeout_ms: int = 60_000) -> Iterator[Session]:
    """A read-only session with a ``statement_timeout``; parallel workers are off, since on-CPU time is read of one."""
    psycopg = need("psycopg", extra="sql", purpose="talking to PostgreSQL")
    try:
        connection = psycopg.connect(
            address.dsn, autocommit=True, prepare_threshold=None, connect_timeout=15, application_name="trimtab"
        )
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        said = address.clean(" ".join(str(error).split()))[:300]
        raise TrimtabError(f"{address.shown}: can't connect ({said})") from None
    try:
        session = Session(address, connection, timeout_ms)
        for name, value in {"statement_timeout": str(timeout_ms), "default_transaction_read_only": "on",
                            "max_parallel_workers_per_gather": "0"}.items():  # fmt: skip
            session._send(set_line(name, value))
        yield session
    finally:
        connection.close()


_COLUMNS: Final = """
SELECT n.nspname, c.relname, c.reltuples, array_agg(a.attname::text ORDER BY a.attnum),
       pg_table_is_visible(c.oid),
       COALESCE((SELECT sum(s.avg_width) FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg_toast%'
GROUP BY n.nspname, c.relname, c.reltuples, c.oid
"""
_INDEXES: Final = """
SELECT n.nspname, c.relname, a.attname::text, i.indisunique AND i.indnkeyatts = 1
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE i.indisvalid AND i.indpred IS NULL AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


_FREQUENCIES: Final = """
SELECT schemaname, tablename, attname::text, most_common_freqs[1] FROM pg_stats
WHERE most_common_freqs IS NOT NULL AND schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def catalogue_of(session: Session) -> Catalogue:
    """The tables of a database, under the names that a query may call them by."""
    from ..sql.text import quoted

    keys: dict[tuple[str, str], set[str]] = {}
    indexed: dict[tuple[str, str], set[str]] = {}
    for schema, table, column, unique in session.rows(_INDEXES):
        indexed.setdefault((schema, table), set()).add(column)
        if unique:
            keys.setdefault((schema, table), set()).add(column)
    shares: dict[tuple[str, str], dict[str, float]] = {}
    for schema, table, column, share in session.rows(_FREQUENCIES):
        shares.setdefault((schema, table), {})[column] = float(share)
    found: dict[str, TableInfo] = {}
    for schema, table, tuples, columns, visible, width in session.rows(_COLUMNS):
        where = (schema, table)
        rows = float(tuples) if tuples >= 0 else float("nan")  # -1: never analysed
        info = TableInfo(
            tuple(columns), rows, float(width) or float("nan"), frozenset(keys.get(where, ())),
            frozenset(indexed.get(where, ())), {c: share * rows for c, share in shares.get(where, {}).items()},
        )  # fmt: skip
        found[f"{quoted(schema)}.{quoted(table)}"] = info
        if visible:
            found[quoted(table)] = info
    return found
