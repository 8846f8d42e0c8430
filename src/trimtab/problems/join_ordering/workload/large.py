# SPDX-License-Identifier: Apache-2.0
"""Joins of 20 to 60 relations, which nobody can count: rows are the product of tables' and joins' selectivities.

=========  ====================================================================================================
schema     a query
=========  ====================================================================================================
aptdb      grows along the foreign keys of the Debian package index, through tables met before too (self-joins)
tpcds      the same on TPC-DS at scale factor 1: 24 tables, fact tables joined through shared dimensions
random     a random tree, cycle or tree with extra joins, of tables with log-uniform sizes joined many to many
           (after Steinbrunn, Moerkotte and Kemper, VLDB Journal 1997, section 5)
=========  ====================================================================================================

Of the first two, a foreign key joins with selectivity 1 / rows of the key's table,
a third of the relations has a predicate of log-uniform selectivity in [0.001, 1],
and more get one until the result has at most 10,000 rows, as one for people has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ..problem import EXACT, Cardinalities, JoinEdge, JoinQuery, Relation
from .staged import APTDB_ROWS

SIZES: Final = (20, 28, 36, 44, 52, 60)
RESULT_ROWS: Final = 10_000
Schema = tuple[Mapping[str, int], Sequence[tuple[str, str, str]]]  # rows; (table, column, key's table)

APTDB: Final[Schema] = (
    APTDB_ROWS,
    (
        ("package", "maintainer_id", "maintainer"), ("package", "section_id", "section"),
        ("package", "priority_id", "priority"), ("package", "source_id", "source"),
        ("maintainer", "domain_id", "domain"), ("pkgtag", "pkg_id", "package"), ("pkgtag", "tag_id", "tag"),
        ("provides", "pkg_id", "package"), ("provides", "virtual_id", "virtual"), ("depends", "pkg_id", "package"),
        ("depends", "target_id", "package"), ("depends", "kind_id", "kind"),
    ),
)  # fmt: skip

_ITEM = ("item_sk", "item")
_DATE = ("date_sk", "date_dim")
_WHO = (("customer_sk", "customer"), ("cdemo_sk", "customer_demographics"), ("hdemo_sk", "household_demographics"),
        ("addr_sk", "customer_address"))  # fmt: skip
_TPCDS: Final = {
    "store_sales": (_ITEM, _DATE, ("time_sk", "time_dim"), *_WHO, ("store_sk", "store"), ("promo_sk", "promotion")),
    "store_returns": (_ITEM, _DATE, *_WHO, ("store_sk", "store"), ("reason_sk", "reason")),
    "catalog_sales": (_ITEM, _DATE, ("time_sk", "time_dim"), *_WHO, ("call_center_sk", "call_center"),
                      ("catalog_page_sk", "catalog_page"), ("ship_mode_sk", "ship_mode"),
                      ("warehouse_sk", "warehouse"), ("promo_sk", "promotion")),
    "catalog_returns": (_ITEM, _DATE, *_WHO, ("call_center_sk", "call_center"), ("reason_sk", "reason")),
    "web_sales": (_ITEM, _DATE, *_WHO, ("web_page_sk", "web_page"), ("web_site_sk", "web_site"),
                  ("ship_mode_sk", "ship_mode"), ("warehouse_sk", "warehouse"), ("promo_sk", "promotion")),
    "web_returns": (_ITEM, _DATE, *_WHO, ("web_page_sk", "web_page"), ("reason_sk", "reason")),
    "inventory": (_ITEM, _DATE, ("warehouse_sk", "warehouse")),
    "customer": (("addr_sk", "customer_address"), ("cdemo_sk", "customer_demographics"),
                 ("hdemo_sk", "household_demographics"), ("first_sales_date_sk", "date_dim")),
    "household_demographics": (("income_band_sk", "income_band"),),
}  # fmt: skip
TPCDS: Final[Schema] = (
    {
        "store_sales": 2_880_404, "store_returns": 287_514, "catalog_sales": 1_441_548, "catalog_returns": 144_067,
        "web_sales": 719_384, "web_returns": 71_763, "inventory": 11_745_000, "item": 18_000, "date_dim": 73_049,
        "time_dim": 86_400, "customer": 100_000, "customer_demographics": 1_920_800, "household_demographics": 7_200,
        "customer_address": 50_000, "store": 12, "promotion": 300, "call_center": 6, "catalog_page": 11_718,
        "ship_mode": 20, "warehouse": 5, "web_page": 60, "web_site": 30, "reason": 35, "income_band": 20,
    },
    tuple((table, column, key) for table, keys in _TPCDS.items() for column, key in keys),
)  # fmt: skip


def foreign_keys(schema: Schema, name: str, size: int, rng: np.random.Generator) -> JoinQuery:
    """A query that grows along foreign keys, in either direction."""
    rows, keys = schema
    facts = sorted({table for table, _, _ in keys}, key=lambda table: -rows[table])
    tables = [facts[int(rng.integers(min(4, len(facts))))]]
    edges: list[JoinEdge] = []
    used: set[tuple[int, str]] = set()  # a foreign key of a relation is followed once
    while len(tables) < size:
        here = int(rng.integers(len(tables)))
        away = [(c, t) for table, c, t in keys if table == tables[here] and (here, c) not in used]
        back = [(c, table) for table, c, t in keys if t == tables[here]]
        pick = int(rng.integers(2 * len(away) + len(back))) if away or back else -1  # rather along a key than back
        if pick < 0:
            continue
        new = len(tables)
        if pick < 2 * len(away):
            column, table = away[pick // 2]
            used.add((here, column))
            edges.append(_key_join(here, new, column, rows[table]))
        else:
            column, table = back[pick - 2 * len(away)]
            used.add((new, column))
            edges.append(_key_join(new, here, column, rows[tables[here]]))
        tables.append(table)
    strength = rng.uniform(np.log(1e-3), 0.0, size)
    chosen = rng.random(size) < 1 / 3
    result = sum(np.log(rows[table]) for table in tables) + sum(np.log(edge.selectivity) for edge in edges)
    for i in rng.permutation(size):
        if result + strength[chosen].sum() <= np.log(RESULT_ROWS):
            break
        chosen[i] = True
    kept = np.maximum(np.where(chosen, np.exp(strength), 1.0), 1 / np.array([rows[table] for table in tables]))
    return _query(name, tables, [rows[table] for table in tables], kept, edges)


def _key_join(foreign: int, key: int, column: str, key_rows: int) -> JoinEdge:
    return JoinEdge(
        foreign, key, column, "id", right_key=True, left_index=True, right_index=True, selectivity=1 / key_rows
    )


def random_graph(name: str, size: int, rng: np.random.Generator) -> JoinQuery:
    """A tree, a cycle, or a tree with a fifth more joins; columns have 0.01 to 1 times as many values as rows."""
    order = rng.permutation(size)
    shape = int(rng.integers(3))
    if shape == 1:
        pairs = {(int(order[i]), int(order[(i + 1) % size])) for i in range(size)}
    else:
        pairs = {(int(order[i]), int(order[rng.integers(max(0, i - 6), i)])) for i in range(1, size)}
        while shape == 2 and len(pairs) < size - 1 + size // 5:
            a, b = (int(x) for x in rng.choice(size, 2, replace=False))
            if (a, b) not in pairs and (b, a) not in pairs:
                pairs.add((a, b))
    rows = [int(r) for r in np.exp(rng.uniform(np.log(10), np.log(1e6), size))]
    edges = []
    for a, b in sorted(pairs):
        values = [max(1.0, rows[i] * float(np.exp(rng.uniform(np.log(0.01), 0.0)))) for i in (a, b)]
        edges.append(JoinEdge(a, b, f"c{b}", f"c{a}", selectivity=1 / max(values)))
    return _query(name, [f"t{i}" for i in range(size)], rows, np.ones(size), edges)


def _query(
    name: str, tables: Sequence[str], rows: Sequence[int], kept: Sequence[float] | np.ndarray, edges: Sequence[JoinEdge]
) -> JoinQuery:
    relations = tuple(Relation(f"{table}_{i}", table, float(rows[i])) for i, table in enumerate(tables))
    alone = {1 << i: max(1.0, rows[i] * float(kept[i])) for i in range(len(tables))}
    return JoinQuery(
        name=name,
        relations=relations,
        edges=tuple(edges),
        cardinalities=Cardinalities.of(alone, "product form", EXACT),
    )


FAMILIES: Final[Mapping[str, Callable[[str, int, np.random.Generator], JoinQuery]]] = {
    "aptdb": lambda name, size, rng: foreign_keys(APTDB, name, size, rng),
    "tpcds": lambda name, size, rng: foreign_keys(TPCDS, name, size, rng),
    "random": random_graph,
}


def generated(suite: str, split: str, sizes: Sequence[int], each: int) -> dict[str, JoinQuery]:
    """`each` queries of every family and size; every one has random numbers of its own."""
    found = {}
    for family, make in FAMILIES.items():
        for size in sizes:
            for k in range(each):
                name = f"{family}-{size}-{k}"
                rng = np.random.default_rng(list(f"{suite}/{split}/{name}".encode()))
                found[name] = replace(make(name, size, rng), template=f"{suite}/{split}/{name}")
    return found
