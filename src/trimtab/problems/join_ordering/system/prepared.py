# SPDX-License-Identifier: Apache-2.0
"""Statements that are planned once, looked at, and run as they were planned.

EXPLAIN EXECUTE shows the plan of a prepared statement without parameters, and
PostgreSQL keeps that plan: executing it then plans nothing again. So looking
before running costs little more than the text of the plan.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.core.extras import need

from .session import Refused, Session, TimedOut


@dataclass
class Prepared:
    """A session, with what was prepared in it. Its settings are to stay as they are."""

    session: Session
    _number: int = field(default=0, repr=False)

    def prepare(self, text: str) -> str:
        """The name of a prepared SELECT. Only that can be prepared: the session's own rules hold."""
        self.session.check(text)
        self._number += 1
        name = f"trimtab_{self._number}"
        self._sent(self.session.connection.pgconn.prepare(name.encode(), text.encode()), text)
        return name

    def explain(self, name: str) -> Mapping[str, Any]:
        """The root node of its plan."""
        found = self._sent(self.session.connection.pgconn.exec_(f"EXPLAIN (FORMAT JSON) EXECUTE {name}".encode()), name)
        root: Mapping[str, Any] = json.loads(found.get_value(0, 0))[0]["Plan"]
        return root

    def run(self, name: str, limit_ms: float = 0.0) -> list[tuple[str | None, ...]]:
        """Its rows, as text; under a time limit if there is one."""
        return self._rows(f"EXECUTE {name}", limit_ms)

    def once(self, text: str, limit_ms: float) -> list[tuple[str | None, ...]]:
        """Rows of a SELECT that is not prepared."""
        self.session.check(text)
        return self._rows(text, limit_ms)

    def _rows(self, text: str, limit_ms: float) -> list[tuple[str | None, ...]]:
        """A limit is sent in front, in the same message: both are one transaction, with whose end it is gone."""
        limit = f"SET LOCAL statement_timeout = {math.ceil(limit_ms)}; " if limit_ms else ""
        found = self._sent(self.session.connection.pgconn.exec_((limit + text).encode()), text)

        def value(row: int, column: int) -> str | None:
            said = found.get_value(row, column)
            return None if said is None else said.decode()

        return [tuple(value(row, column) for column in range(found.nfields)) for row in range(found.ntuples)]

    def forget(self, *names: str) -> None:
        for name in names:
            self._sent(self.session.connection.pgconn.exec_(f"DEALLOCATE {name}".encode()), name)

    def _sent(self, result: Any, what: str) -> Any:
        pq = need("psycopg.pq", extra="sql", purpose="talking to PostgreSQL")
        if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            return result
        said = self.session.address.clean(" ".join(result.error_message.decode(errors="replace").split()))[:300]
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state == b"57014":
            raise TimedOut(f"{self.session.address.shown}: stopped at its time limit: {what[:80]}")
        raise Refused(f"{self.session.address.shown}: {said}, in: {what[:200]}")
