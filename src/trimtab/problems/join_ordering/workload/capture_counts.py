# SPDX-License-Identifier: Apache-2.0
"""True counts of the user's queries, harvested from the user's PostgreSQL: read-only, time-limited, resumable.

Every answer is a line of a log that is only ever appended to, so whatever ends a
harvest, what was counted stays; the same command goes on behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance, TrimtabError

from ..problem import ESTIMATE, EXACT, Cardinalities, JoinQuery
from ..sql.catalogue import Catalogue
from ..sql.text import connected_subsets, count_sql, rows_sql
from ..system.session import Refused, ServerGone, Session, TimedOut
from .files import save_queries
from .harvest import query_of, version_of

#: Connected subsets of a query that are looked at, smaller ones first; a star of 13 tables has 4,107.
MOST_SUBSETS: Final = 5_000


@dataclass
class Log:
    """Answers by query and subset. ``rows`` is None where the count met its limit of ``seconds``."""

    path: Path
    answers: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A last line that was cut short, by a crash, is dropped."""
        if not self.path.exists():
            return
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            self.path.write_bytes(whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                answer = json.loads(line)
                key = str(answer["query"]), int(answer["subset"])
                if not {"rows", "estimate", "seconds"} <= answer.keys():
                    raise KeyError("rows")
            except (ValueError, KeyError, TypeError):
                raise InvalidInstance(f"{self.path}, line {number}: not a line of a harvest") from None
            self.answers[key] = answer

    def add(self, query: str, subset: int, *, rows: int | None, estimate: float, seconds: float) -> None:
        answer = {"query": query, "subset": subset, "rows": rows, "estimate": estimate, "seconds": seconds}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(answer) + "\n")
        self.answers[query, subset] = answer

    def known(self, query: str, subset: int, seconds: float) -> bool:
        """Whether it was counted, or given at least this long in vain."""
        answer = self.answers.get((query, subset))
        return answer is not None and (answer["rows"] is not None or answer["seconds"] >= seconds)


def read_sql(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """(name, text) of every ``.sql`` file among the paths and in the folders among them."""
    files = [f for path in paths for f in (sorted(path.rglob("*.sql")) if path.is_dir() else [path])]
    if not files:
        raise InvalidInstance(f"there is no .sql file in {', '.join(map(str, paths))}")
    names: set[str] = set()
    for file in files:
        name = file.stem if file.stem not in names else str(file.with_suffix("")).replace("/", "_")
        names.add(name)
        try:
            yield name, file.read_text(encoding="utf-8").strip().rstrip(";")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInstance(f"query file {file}: can't be read ({error})") from error


def key_of(query: JoinQuery) -> str:
    """A query is known by its text: a log does not mix counts of queries that were edited."""
    return hashlib.sha256(query.sql.encode()).hexdigest()[:16]


def harvest(
    session: Session,
    queries: Sequence[JoinQuery],
    log: Log,
    *,
    seconds: float,
    progress: Callable[[int, int, str], None],
) -> int:
    """Count what the log does not know yet; how many counts met their limit.

    Raises `TrimtabError` where the server goes away; the log has all that was counted before.
    """
    work = [(query, key_of(query), subset) for query in queries for subset in subsets_of(query)]
    late = 0
    for done, (query, key, subset) in enumerate(work):
        progress(done, len(work), f"{query.name} {' '.join(query.aliases(subset))}")
        if log.known(key, subset, seconds):
            late += log.answers[key, subset]["rows"] is None
            continue
        try:
            estimate = float(session.plan(rows_sql(query, subset))["Plan Rows"])
            rows = _count(session, query, subset, seconds)
        except ServerGone as error:
            raise TrimtabError(
                f"{error}; {done} of {len(work)} counts are kept in {log.path}, and the same command goes on from there"
            ) from None
        except Refused as error:
            raise Refused(f"query {query.name!r}: {error}") from None
        late += rows is None
        log.add(key, subset, rows=rows, estimate=estimate, seconds=seconds)
    return late


def subsets_of(query: JoinQuery) -> list[int]:
    found = connected_subsets(query, at_most=MOST_SUBSETS)
    return [*found, *({query.everything} - set(found))]


def _count(session: Session, query: JoinQuery, subset: int, seconds: float) -> int | None:
    try:
        return int(session.rows(count_sql(query, subset), timeout_ms=max(1, round(seconds * 1000)))[0][0])
    except TimedOut:
        return None


def with_counts(query: JoinQuery, log: Log, version: str) -> JoinQuery | None:
    """The query with what the log knows: counts, and flagged estimates for what is not counted. None: knows nothing."""
    key = key_of(query)
    known = {subset: log.answers[key, subset] for subset in subsets_of(query) if (key, subset) in log.answers}
    if not known:
        return None
    estimates = {subset: float(answer["estimate"]) for subset, answer in known.items()}
    subsets = np.array(sorted(known), np.int64)
    counted = np.array([known[int(s)]["rows"] is not None for s in subsets])
    rows = np.array([estimates[int(s)] if (n := known[int(s)]["rows"]) is None else float(n) for s in subsets])
    kinds = np.where(counted, EXACT, ESTIMATE).astype(np.int8)
    return replace(
        query,
        cardinalities=Cardinalities(subsets, rows, kinds, "count"),
        estimates=Cardinalities.of(estimates, version, kind=ESTIMATE),
    )


def read_queries_of(session: Session, paths: Sequence[Path], catalogue: Catalogue) -> list[JoinQuery]:
    return [replace(query_of(text, name, catalogue), cost_model="pg_like") for name, text in read_sql(paths)]


def write_queries(output: Path, session_version: str, queries: Sequence[JoinQuery], log: Log) -> list[JoinQuery]:
    """The query file, of all queries that anything is known of; returns them."""
    found = [known for query in queries if (known := with_counts(query, log, session_version)) is not None]
    if found:
        save_queries(output, found)
    return found


__all__ = ["Log", "harvest", "read_queries_of", "read_sql", "version_of", "with_counts", "write_queries"]
