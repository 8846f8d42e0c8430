# SPDX-License-Identifier: Apache-2.0
"""The user's own SELECT with its joins in the order of a plan; everything above them is left as it was."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from ..problem import JoinPlan, JoinQuery
from .parse import statement_of
from .text import bound_from, forced_from

_HOLE: Final = "trimtab_joins_stand_here"


def rewrite(
    query: JoinQuery, plan: JoinPlan, *, dialect: str = "postgres", pretty: bool = False, bound: bool = False
) -> str:
    """Same rows and columns; ``*`` is written out by table, since its order follows the joins'.

    `bound`: PostgreSQL is bound to the plan's operators, too.

    The query's text is parsed once, whatever the number of plans.
    """
    before, after = _frame(query, dialect)
    conditions = [f"({predicate})" for relation in query.relations for predicate in relation.predicates]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    joins = bound_from(query, plan) if bound else forced_from(query, plan) + where
    text = f"{before}FROM {joins}{after}"
    if not pretty:
        return text
    sqlglot = need("sqlglot", extra="sql", purpose="rewriting SQL")
    return str(sqlglot.parse_one(text, read=dialect).sql(dialect=dialect, pretty=True))


@lru_cache(maxsize=4096)
def _frame(query: JoinQuery, dialect: str) -> tuple[str, str]:
    """What stands before and behind the joins and the conditions on them."""
    exp = need("sqlglot", extra="sql", purpose="rewriting SQL").exp
    select = statement_of(query.sql, query.name, dialect).copy()
    if any(isinstance(item, exp.Star) for item in select.expressions):
        whole = [exp.Column(this=exp.Star(), table=exp.to_identifier(r.alias)) for r in query.relations]
        select.set("expressions", [x for e in select.expressions for x in (whole if isinstance(e, exp.Star) else [e])])
    for key in ("from", "joins", "where"):
        select.set(key, None)
    select = select.from_(_HOLE)
    before, found, after = str(select.sql(dialect=dialect)).partition(f"FROM {_HOLE}")
    if not found or _HOLE in query.sql:
        raise InvalidInstance(f"query {query.name!r}: its FROM can't be told from the rest")
    return before, after
