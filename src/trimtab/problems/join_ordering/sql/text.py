# SPDX-License-Identifier: Apache-2.0
"""A `JoinQuery` as SQL: the count of a subset of its relations, and a plan as explicit joins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from ..problem import INDEX, JoinEdge, JoinPlan, JoinQuery, Relation, Tree, bits

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
#: Words that PostgreSQL or DuckDB does not take as a name without quotes.
_RESERVED: Final = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "binary",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "collation",
        "column",
        "constraint",
        "create",
        "cross",
        "current_date",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "deferrable",
        "desc",
        "describe",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "overlaps",
        "pivot",
        "placing",
        "primary",
        "qualify",
        "references",
        "returning",
        "right",
        "select",
        "session_user",
        "show",
        "similar",
        "some",
        "summarize",
        "symmetric",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "unpivot",
        "user",
        "using",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
    ]
)


@lru_cache(maxsize=4096)
def quoted(name: str) -> str:
    """An identifier, in double quotes where it needs them."""
    return name if _PLAIN.fullmatch(name) and name not in _RESERVED else '"' + name.replace('"', '""') + '"'


def connected_subsets(query: JoinQuery, *, at_most: int = 1 << 20, largest: int = 62) -> list[int]:
    """Bitsets of connected subsets of up to `largest` relations, by size; stops growing beyond `at_most` of them."""
    neighbours = query.neighbours.tolist()
    found: list[int] = []
    level = {1 << i for i in range(query.num_relations)}
    while level and len(found) + len(level) <= at_most:
        found += sorted(level)
        if found[-1].bit_count() >= largest:
            break
        level = {s | 1 << j for s in level for i in bits(s) for j in bits(neighbours[i] & ~s)}
    return found


def template_of(relations: Sequence[Relation]) -> str:
    """Queries that join the same tables are of one template."""
    return "-".join(sorted(relation.table for relation in relations))


def rows_sql(query: JoinQuery, subset: int) -> str:
    """All rows of a subset, for EXPLAIN."""
    return f"SELECT 1 FROM {_from_where(query, subset)}"


def count_sql(query: JoinQuery, subset: int) -> str:
    return f"SELECT COUNT(*) FROM {_from_where(query, subset)}"


def forced_from(query: JoinQuery, plan: JoinPlan) -> str:
    """``a JOIN b ON ... JOIN c ON ...``, nested as the plan is: outer operand first."""
    return _joined(query, plan.tree(), Equal())[0]


def bound_from(query: JoinQuery, plan: JoinPlan) -> str:
    """As `forced_from`, with PostgreSQL bound to the operators, too; every condition stands where its relation is read.

    A lookup becomes a lateral subquery, which only a nested loop can run. OFFSET 0 keeps
    subqueries from being merged into the rest: a relation to be hashed can then not be looked up.
    """
    assert plan.operators is not None
    how = {
        outer | inner: operator
        for (outer, inner), operator in zip(plan.joins.tolist(), plan.operators.tolist(), strict=True)
    }
    return _bound(query, plan.tree(), how, Equal())[0]


def _bound(query: JoinQuery, node: Tree, how: Mapping[int, int], equal: Equal) -> tuple[str, int]:
    if isinstance(node, int):
        return _read(query, node, ()), 1 << node
    left, outer = _bound(query, node[0], how, equal)
    right, inner = ("", 1 << node[1]) if isinstance(node[1], int) else _bound(query, node[1], how, equal)
    conditions = [equality(query, e) for e in equal.across(query, outer, inner)]
    if isinstance(node[1], int):
        if how[outer | inner] == INDEX:
            return f"{left} CROSS JOIN LATERAL {_read(query, node[1], conditions)}", outer | inner
        right = _read(query, node[1], ())
    else:
        right = f"({right})"
    return f"{left} JOIN {right} ON {' AND '.join(conditions)}", outer | inner


def _read(query: JoinQuery, i: int, conditions: Sequence[str]) -> str:
    relation = query.relations[i]
    every = " AND ".join([*conditions, *(f"({predicate})" for predicate in relation.predicates)])
    return (
        f"(SELECT * FROM {source(query, i)}{f' WHERE {every}' if every else ''} OFFSET 0) AS {quoted(relation.alias)}"
    )


def _from_where(query: JoinQuery, subset: int) -> str:
    members = list(bits(subset))
    tables = ", ".join(source(query, i) for i in members)
    conditions = [equality(query, edge) for edge in edges_within(query, subset)]
    conditions += [f"({predicate})" for i in members for predicate in query.relations[i].predicates]
    return tables + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def source(query: JoinQuery, i: int) -> str:
    relation = query.relations[i]
    return relation.table if relation.table == relation.alias else f"{relation.table} AS {quoted(relation.alias)}"


def equality(query: JoinQuery, edge: JoinEdge) -> str:
    left, right = (quoted(query.relations[i].alias) for i in (edge.left, edge.right))
    return f"{left}.{quoted(edge.left_column)} = {right}.{quoted(edge.right_column)}"


def edges_within(query: JoinQuery, subset: int) -> list[JoinEdge]:
    """The joins inside a subset: those that the query says, and implied ones only where columns are not equal yet."""
    inside = [e for e in query.edges if subset >> e.left & 1 and subset >> e.right & 1]
    classes: list[set[tuple[int, str]]] = []
    kept = []
    for edge in sorted(inside, key=lambda e: e.implied):
        ends = {(edge.left, edge.left_column), (edge.right, edge.right_column)}
        if edge.implied and any(ends <= members for members in classes):
            continue
        touched = [members for members in classes if members & ends]
        classes = [members for members in classes if not members & ends] + [ends.union(*touched)]
        kept.append(edge)
    return kept


class Equal:
    """Columns that are equal by the joins done so far, from the leaves of a plan up."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, str], tuple[int, str]] = {}  # towards the first of its class

    def across(self, query: JoinQuery, outer: int, inner: int) -> list[JoinEdge]:
        """The joins of two subsets that make columns equal which are not yet; those that the query says are first."""
        edges = [
            e for e in query.edges if (outer >> e.left & inner >> e.right | outer >> e.right & inner >> e.left) & 1
        ]
        return [e for e in sorted(edges, key=lambda e: e.implied) if self._add(e)]

    def _add(self, edge: JoinEdge) -> bool:
        left, right = self._first((edge.left, edge.left_column)), self._first((edge.right, edge.right_column))
        if left != right:
            self._of[right] = left
        return left != right

    def _first(self, end: tuple[int, str]) -> tuple[int, str]:
        while end in self._of:
            end = self._of[end]
        return end


def _joined(query: JoinQuery, node: Tree, equal: Equal) -> tuple[str, int]:
    if isinstance(node, int):
        return source(query, node), 1 << node
    (left, outer), (right, inner) = _joined(query, node[0], equal), _joined(query, node[1], equal)
    conditions = " AND ".join(equality(query, e) for e in equal.across(query, outer, inner))
    right = right if isinstance(node[1], int) else f"({right})"
    return f"{left} JOIN {right} ON {conditions}", outer | inner
