# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL takes for plans whose joins are hash joins or lookups as told, and the cheapest of them; compiled.

A plan's time is its work times ns per unit (`prices.json`, fitted by non-negative
least squares to plans that were run on the training and validation templates).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled

from ..problem import HASH, INDEX, Floats, Ints, JoinPlan
from .counting import STARS, Counted, Sizes, count
from .sampling import UNINDEXED, Asked, Small, Store

UNITS: Final = (
    "query",  # once
    "relation",  # relation that is planned
    "scan",  # row of a table read in sequence
    "filter",  # the same, of a table with conditions
    "build",  # row put into a hash table: the smaller operand's
    "probe",  # row looked up in one
    "lookup",  # descent of an index
    "match",  # row found through an index
    "page",  # page that it stands on
    "check",  # row found, of a relation with conditions
    "emit",  # row that a join gives
    "spare",  # row of a table with conditions that is to probe a hash table which doesn't have its key
)
QUERY, RELATION, SCAN, FILTER, BUILD, PROBE, LOOKUP, MATCH, PAGE, CHECK, EMIT, SPARE = range(len(UNITS))
UNSURE: Final = 10.0  # times the rows by independence, of subsets that no sampled row supports
FILE: Final = Path(__file__).with_name("prices.json")


class Sheet(NamedTuple):
    """A query under some row counts, for compiled code. Bitsets are places; what is not known is NaN."""

    table: Floats  # (relations,) rows
    conditions: NDArray[np.bool_]  # (relations,) whether there are any on it
    rows: Floats  # (2 ** relations,) at least 1; NaN where not connected
    matches: Floats  # (relations, 2 ** relations) rows that lookups of a relation for the others of a subset find
    degrees: Floats  # (relations, relations) rows of the first that a row of the second finds, on average; NaN unknown
    lookup: Ints  # (3, relations) bitset of relations that can look it up: by its key, near and far rows
    page: Floats  # (relations,) rows on a page


@cache
def prices() -> Floats:
    """(units,) ns, see the file. PostgreSQL spares no row: it checks conditions first."""
    known = {"spare": 0.0, **json.loads(FILE.read_text("utf-8"))["ns"]}
    return np.array([float(known[name]) for name in UNITS])


@compiled
def leaf(sheet: Sheet, p: Floats, i: int) -> float:
    return float((p[SCAN] + (p[FILTER] if sheet.conditions[i] else 0.0)) * sheet.table[i])


@compiled
def place(subset: int) -> int:
    """The index of a single bit; -1 where there are more."""
    if subset & (subset - 1):
        return -1
    i = 0
    while subset >> i > 1:
        i += 1
    return i


@compiled
def found(sheet: Sheet, outer: int, i: int) -> float:
    """Rows of relation `i` that lookups for all rows of `outer` find, before its own conditions.

    Where that was not counted the conditions are taken not to care for the join,
    unless they leave so little that the average says more.
    """
    counted = sheet.matches[i, outer | 1 << i]
    if counted == counted:
        return float(max(1.0, counted))
    share = sheet.rows[1 << i] / sheet.table[i]
    both = sheet.rows[outer | 1 << i]
    if sheet.conditions[i] and share < 0.05:
        for other in range(len(sheet.table)):
            if outer >> other & 1 and not np.isnan(sheet.degrees[i, other]):
                return float(max(both, sheet.degrees[i, other] * sheet.rows[outer]))
    return float(both / share)


@compiled
def hash_join(sheet: Sheet, p: Floats, outer: int, inner: int) -> float:
    """Added to the costs of the operands. The smaller one is hashed; rows of the other, a table, may be spared."""
    hashed, other = (outer, inner) if sheet.rows[outer] < sheet.rows[inner] else (inner, outer)
    cost = p[BUILD] * sheet.rows[hashed] + p[PROBE] * sheet.rows[other] + p[EMIT] * sheet.rows[outer | inner]
    i = place(other)
    if p[SPARE] != 0.0 and i >= 0 and sheet.conditions[i]:
        cost += p[SPARE] * max(0.0, sheet.table[i] - found(sheet, hashed, i))
    return float(cost)


@compiled
def lookups(sheet: Sheet, p: Floats, outer: int, i: int) -> float:
    """Added to the cost of `outer`; inf where relation `i` has no index for it."""
    for kind in range(3):
        if sheet.lookup[kind, i] & outer:
            rows, each = sheet.rows[outer], found(sheet, outer, i)
            if kind == 0:
                each = min(each, rows)
            read = each  # pages: rows of one lookup stand on as many, side by side, or anywhere
            if kind == 1:
                read = max(rows, each / sheet.page[i])
            elif kind == 2:
                pages = sheet.table[i] / sheet.page[i]
                read = rows * pages * -np.expm1(-each / max(1.0, rows) / pages)
            added = p[LOOKUP] * rows + p[MATCH] * each + p[PAGE] * read
            added += p[CHECK] * each if sheet.conditions[i] else 0.0
            return float(added + p[EMIT] * sheet.rows[outer | 1 << i])
    return np.inf


@compiled
def cheapest(sheet: Sheet, p: Floats) -> tuple[float, Ints, NDArray[np.int8]]:
    """ns of the best plan, its joins, children first, and their operators.

    All splits of all connected subsets: 3 ** relations, so for some ten relations.
    """
    n = len(sheet.table)
    size = 1 << n
    cost, left, how = np.full(size, np.inf), np.zeros(size, np.int64), np.zeros(size, np.int8)
    for i in range(n):
        cost[1 << i] = leaf(sheet, p, i)
    for subset in range(1, size):
        if not subset & (subset - 1) or np.isnan(sheet.rows[subset]):
            continue
        outer = (subset - 1) & subset
        while outer:
            inner = subset ^ outer
            if not (np.isnan(sheet.rows[outer]) or np.isnan(sheet.rows[inner])):
                if outer > inner:
                    total = cost[outer] + cost[inner] + hash_join(sheet, p, outer, inner)
                    if total < cost[subset]:
                        cost[subset], left[subset], how[subset] = total, outer, HASH
                i = place(inner)
                if i >= 0:
                    total = cost[outer] + lookups(sheet, p, outer, i)
                    if total < cost[subset]:
                        cost[subset], left[subset], how[subset] = total, outer, INDEX
            outer = (outer - 1) & subset
    joins, operators = np.zeros((n - 1, 2), np.int64), np.zeros(n - 1, np.int8)
    waiting, ahead, at = np.zeros(2 * n, np.int64), 1, n - 1
    waiting[0] = size - 1
    while ahead:
        ahead -= 1
        here = waiting[ahead]
        if here & (here - 1):
            at -= 1
            joins[at, 0], joins[at, 1], operators[at] = left[here], here ^ left[here], how[here]
            waiting[ahead], waiting[ahead + 1] = joins[at, 0], joins[at, 1]
            ahead += 2
    return cost[size - 1] + p[QUERY] + n * p[RELATION], joins, operators


def units(sheet: Sheet, plan: JoinPlan) -> Floats:
    """(units,) work of a plan with an operator for each join; what the compiled functions above price."""
    one = np.eye(len(UNITS))
    assert plan.operators is not None
    looked_up = {
        int(i) for (_, i), how in zip(plan.joins.tolist(), plan.operators.tolist(), strict=True) if how == INDEX
    }
    total = one[QUERY] + len(sheet.table) * one[RELATION]
    for i in range(len(sheet.table)):
        if 1 << i not in looked_up:
            total += [leaf(sheet, p, i) for p in one]
    for (outer, inner), how in zip(plan.joins.tolist(), plan.operators.tolist(), strict=True):
        total += [
            lookups(sheet, p, outer, place(inner)) if how == INDEX else hash_join(sheet, p, outer, inner) for p in one
        ]
    return np.asarray(total)


@compiled
def sheet_of(asked: Asked, counted: Counted) -> Sheet:
    """A query with the rows that `counting.count` gives."""
    n = len(asked.relations)
    lookup, conditions = np.zeros((3, n), np.int64), np.zeros(n, np.bool_)
    table, page = np.zeros(n), np.zeros(n)
    for i in range(n):
        relation = asked.relations[i]
        conditions[i] = relation.first < relation.last or relation.vague < 1.0
        table[i], page[i] = relation.rows, relation.page
    for m in asked.members:
        for o in asked.members:
            if m.of == o.of and m.relation != o.relation and m.looked != UNINDEXED:
                lookup[m.looked, m.relation] |= 1 << o.relation
    of_subset, matches = np.full(1 << n, np.nan), np.full((n, 1 << n), np.nan)
    subsets, rows, support, degrees = counted
    sheet = Sheet(table, conditions, of_subset, matches, degrees, lookup, page)
    fill(sheet, subsets, rows, support)
    return sheet


class Plan(NamedTuple):
    sheet: Sheet
    ns: float  # that it takes
    joins: Ints
    operators: NDArray[np.int8]
    support: float  # on how many sampled rows every intermediate result rests, at least; the last is every plan's


@compiled
def planned(store: Store, asked: Asked, sizes: Sizes, slots: Small, p: Floats) -> Plan:
    """Counts, and the cheapest plan by that."""
    counted = count(store, asked, sizes, slots)
    sheet = sheet_of(asked, counted)
    ns, joins, operators = cheapest(sheet, p)
    support = np.inf
    for k in range(len(joins) - 1):
        support = min(support, float(counted[2][np.searchsorted(counted[0], joins[k, 0] | joins[k, 1])]))
    return Plan(sheet, ns, joins, operators, support)


@compiled
def fill(sheet: Sheet, subsets: Ints, rows: Floats, support: Floats) -> None:
    """Rows and matches, from what was counted, subsets ascending.

    A sample in which nothing was found says little where it rests on no row at all:
    there the parts are taken to be independent, and that to be too low by `UNSURE`, so
    that such a subset is made late where there is a choice.
    """
    for k in range(len(subsets)):
        subset, star = subsets[k] & ((1 << STARS) - 1), subsets[k] >> STARS
        if star == 0:
            found = rows[k] if support[k] > 0.0 else UNSURE * independent(sheet, subset)
            sheet.rows[subset] = max(1.0, found)
        elif not star & (star - 1):
            sheet.matches[place(star), subset | star] = rows[k]


@compiled
def independent(sheet: Sheet, subset: int) -> float:
    """Rows of a subset by those of its parts with one relation less, the fewest; 0 where there is none."""
    least = np.inf
    for i in range(len(sheet.table)):
        if not subset >> i & 1:
            continue
        rest = subset & ~(1 << i)
        each = np.inf  # rows of relation i that a row of the rest finds
        for j in range(len(sheet.table)):
            if rest >> j & 1 and not (np.isnan(sheet.degrees[i, j]) and np.isnan(sheet.degrees[j, i])):
                each = min(each, 1.0 if np.isnan(sheet.degrees[i, j]) else sheet.degrees[i, j])
        if sheet.rows[rest] == sheet.rows[rest] and each < np.inf:
            least = min(least, sheet.rows[rest] * each * sheet.rows[1 << i] / sheet.table[i])
    return least if least < np.inf else 0.0
