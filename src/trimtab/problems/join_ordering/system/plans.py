# SPDX-License-Identifier: Apache-2.0
"""Plans as an engine is made to run them, and as its EXPLAIN shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..problem import HASH, INDEX, LOOP, MERGE, JoinPlan, JoinQuery

Settings = tuple[tuple[str, str], ...]

#: PostgreSQL: the textual order of explicit joins binds.
FORCED: Final[Settings] = (("join_collapse_limit", "1"),)

#: Hint sets: what the optimiser may not use (as in Bao, Marcus et al., SIGMOD 2021, which has 48 of them).
ARMS: Final[Mapping[str, Settings]] = {
    "default": (),
    "no_nestloop": (("enable_nestloop", "off"),),
    "no_mergejoin": (("enable_mergejoin", "off"),),
    "no_hashjoin": (("enable_hashjoin", "off"),),
    "hash_only": (("enable_nestloop", "off"), ("enable_mergejoin", "off")),
    "loop_only": (("enable_hashjoin", "off"), ("enable_mergejoin", "off")),
    "no_seqscan": (("enable_seqscan", "off"),),
    "no_indexscan_no_nestloop": (
        ("enable_indexscan", "off"), ("enable_indexonlyscan", "off"), ("enable_nestloop", "off"),
    ),
}  # fmt: skip

#: Only nested loops, which look the inner operand up in an index.
LOOPS: Final[Settings] = (("enable_hashjoin", "off"), ("enable_mergejoin", "off"))

#: What guides advise where all data are in memory: a page is a page, and hash tables may be large.
IN_MEMORY: Final[Settings] = (("random_page_cost", "1.1"), ("work_mem", "64MB"))

#: Beside a query that binds PostgreSQL to lookups and hash joins. What remembers lookups is off: it is hard to price.
BOUND: Final[Settings] = (
    *FORCED, ("enable_nestloop", "off"), ("enable_mergejoin", "off"), ("enable_memoize", "off"), *IN_MEMORY,
)  # fmt: skip

_SWITCHES: Final = {HASH: "enable_hashjoin", MERGE: "enable_mergejoin"}


@dataclass(frozen=True, eq=False)
class EnginePlan(JoinPlan):
    """A plan with settings of the engine. Not `forced`: the query is sent as the user wrote it."""

    settings: Settings = ()
    forced: bool = True
    label: str = ""
    bound: bool = False  # to its operators, all HASH or INDEX, join by join


def settings_of(plan: JoinPlan) -> Settings:
    """What PostgreSQL must be told so that it runs a plan: the order binds, joins that it does not use are off.

    Which operator goes where stays the engine's choice but for `bound` plans, and
    which operand is hashed always does.
    """
    if isinstance(plan, EnginePlan):
        if plan.bound:
            return BOUND
        return (FORCED if plan.forced else ()) + plan.settings
    if plan.operators is None or not plan.operators.all():
        return FORCED
    used = set(plan.operators.tolist())
    loops = () if used & {INDEX, LOOP} else (("enable_nestloop", "off"),)
    return FORCED + loops + tuple((name, "off") for kind, name in _SWITCHES.items() if kind not in used)


def plan_of_postgresql(query: JoinQuery, root: Mapping[str, Any]) -> JoinPlan | None:
    """The join tree of an EXPLAIN (FORMAT JSON), with operators; None where it is not one of the query's relations."""
    place = {relation.alias: 1 << i for i, relation in enumerate(query.relations)}
    joins: list[tuple[int, int]] = []
    operators: list[int] = []

    def walk(node: Mapping[str, Any]) -> int:
        children: Sequence[Mapping[str, Any]] = node.get("Plans", ())
        if node.get("Node Type") not in ("Hash Join", "Merge Join", "Nested Loop"):
            below = [walk(child) for child in children if child.get("Parent Relationship") in ("Outer", "Member")]
            own = place.get(node.get("Alias", ""), 0)
            return own or (below[0] if len(below) == 1 else 0)
        outer, inner = walk(children[0]), walk(children[1])
        joins.append((outer, inner))
        operators.append(_operator(node, children[1]))
        return outer | inner

    whole = walk(root)
    plan = JoinPlan(np.array(joins, np.int64).reshape(-1, 2), np.array(operators, np.int8))
    return plan if whole == query.everything and not plan.flaw(query) else None


def _operator(node: Mapping[str, Any], inner: Mapping[str, Any]) -> int:
    if node["Node Type"] == "Hash Join":
        return HASH
    if node["Node Type"] == "Merge Join":
        return MERGE
    while inner.get("Node Type") in ("Memoize", "Materialize") and "Plans" in inner:
        inner = inner["Plans"][0]
    return INDEX if _looks_up(inner) else LOOP


def _looks_up(node: Mapping[str, Any]) -> bool:
    return "Index Cond" in node or any(_looks_up(child) for child in node.get("Plans", ()))
