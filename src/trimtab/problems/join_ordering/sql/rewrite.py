# SPDX-License-Identifier: Apache-2.0
"""The user's own SELECT with its joins in the order of a plan; everything above them is left as it was."""

from __future__ import annotations

from trimtab.core.extras import need

from ..problem import JoinPlan, JoinQuery
from .parse import statement_of
from .text import forced_from


def rewrite(query: JoinQuery, plan: JoinPlan, *, dialect: str = "postgres") -> str:
    """Same rows and columns; ``*`` is written out by table, since its order follows the joins'."""
    sqlglot = need("sqlglot", extra="sql", purpose="rewriting SQL")
    exp = sqlglot.exp
    select = statement_of(query.sql, query.name, dialect)
    if any(isinstance(item, exp.Star) for item in select.expressions):
        whole = [exp.Column(this=exp.Star(), table=exp.to_identifier(r.alias)) for r in query.relations]
        select.set("expressions", [x for e in select.expressions for x in (whole if isinstance(e, exp.Star) else [e])])
    conditions = [f"({predicate})" for relation in query.relations for predicate in relation.predicates]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    block = sqlglot.parse_one(f"SELECT 1 FROM {forced_from(query, plan)}{where}", read=dialect)
    for key in ("from_", "from", "joins", "where"):
        select.set(key, block.args.get(key))
    return str(select.sql(dialect=dialect, pretty=True))
