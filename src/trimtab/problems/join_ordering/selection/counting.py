# SPDX-License-Identifier: Apache-2.0
"""Rows of every connected subset of a tree of joins, counted on samples along the foreign keys; compiled.

Subsets are divided by the first of their relations in the order of filtered rows. From
rows of that one the rows that join them are followed, table by table, at most so
many for each value; then every rooted subset is summed up at once on the way back, a row's
numbers being products of what is behind it, as factorised databases count. (Index-based
join sampling, Leis et al., CIDR 2017, does the first half, for one subset at a time.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints

Small = NDArray[np.int32]


#: A bitset with bit STARS + i: rows that a lookup of relation i finds, before its conditions, for rows of the others.
STARS: Final = 16


#: What a lookup finds: a row; rows that stand side by side; rows that stand anywhere.
KEY, NEAR, FAR, UNINDEXED = range(4)


class Store(NamedTuple):
    """A database in memory. Columns stand one behind another in long arrays; a query says where its own begin."""

    values: Floats  # columns that conditions are on: numbers, or places among the sorted different texts
    order: Small  # for each of these, rows by value; rows of equal value in random order
    refers: Small  # foreign keys: row of the table that is referred to, -1 for none
    referring: Small  # for each of these, rows by whom they refer to; for each the heavy ones, then others at random
    starts: Small  # where those of each row begin; one more than that table has rows
    fronts: Small  # how many heavy ones stand in front of those of each row; as long as `starts`
    heavy: NDArray[np.bool_]  # rows of the tables that very many refer to
    heavies: Small  # these rows
    some: Small  # rows of the tables that are not, at random


class Asked(NamedTuple):
    """A query, as places in a `Store`. Relations and classes of equal columns are a tree."""

    rows: Ints  # (relations,) of the table
    flags: Ints  # (relations,) where the table's part of `heavy` begins
    heavies: Ints  # (relations, 2) begin and end of its heavy rows
    some: Ints  # (relations, 2) begin and end of its sample
    slices: Ints  # (relations, 2) begin and end in `order` of the rows that meet a condition; -1: there is none
    first: Ints  # (relations + 1,) where its conditions begin
    columns: Ints  # (conditions,) where a column begins in `values`
    low: Floats  # (conditions,) low <= value
    high: Floats  # (conditions,) value < high
    vague: Floats  # (relations,) share that conditions of other forms are taken to leave
    share: Floats  # (relations,) of its rows that meet all conditions, by independence
    page: Floats  # (relations,) rows on a page of 8 KiB, about
    of: Ints  # (members,) class of a member: a column of a relation
    relation: Ints  # (members,)
    key: Ints  # (members,) 1 where the column is the table's key, else 0
    refers: Ints  # (members,) where it begins in `refers`, if it is not
    referring: Ints  # (members,) where it begins in `referring`
    starts: Ints  # (members,) where it begins in `starts`
    values: Ints  # (members,) rows of the table that the class's values are of
    looked: Ints  # (members,) how rows are looked up by the column: KEY, NEAR, FAR or UNINDEXED


#: Every connected subset, its rows, on how many sampled rows these rest (inf: counted), and (relations, relations) how
#: many rows of the one, before its conditions, refer to what a row of the other has; NaN where they are not joined so.
Counted = tuple[Ints, Floats, Floats, Floats]


class Sizes(NamedTuple):
    """How much is looked at."""

    begin: int = 256  # rows that counting begins from
    follow: int = 1024  # rows of a relation that are followed to, about
    lookups: bool = True  # whether rows that lookups find are counted, too


@compiled
def walked(asked: Asked) -> float:
    """Rows met by a walk along the joins from the most selective relation, by independence: a few us' thought."""
    n = len(asked.rows)
    passing = np.maximum(1.0, asked.share * asked.rows)
    here = np.argmin(passing)
    left = np.ones(n, np.bool_)
    left[here] = False
    rows_now = met = passing[here]
    for _ in range(n - 1):
        least, finds, to = np.inf, 0.0, -1
        for m in range(len(asked.of)):
            for o in range(len(asked.of)):
                i, j = asked.relation[m], asked.relation[o]
                if asked.of[m] == asked.of[o] and left[j] and not left[i]:
                    each = 1.0 if asked.key[o] else asked.rows[j] / asked.values[o]
                    if each * asked.share[j] < least:
                        least, finds, to = each * asked.share[j], each, j
        met += rows_now * max(1.0, finds)
        rows_now = max(1.0, rows_now * least)
        left[to] = False
    return float(met)


@compiled
def passes(store: Store, asked: Asked, i: int, row: int) -> bool:
    """Whether a row meets a relation's conditions."""
    for k in range(asked.first[i], asked.first[i + 1]):
        value = store.values[asked.columns[k] + row]
        if not (asked.low[k] <= value < asked.high[k]):
            return False
    return True


@compiled
def begin(store: Store, asked: Asked, i: int, most: int) -> tuple[Ints, Floats, bool]:
    """Rows of a relation that meet its conditions, how many each stands for, and whether they are all.

    Few rows are all taken; else the heavy ones, each for itself, and some of the others.
    """
    low, high = asked.slices[i, 0], asked.slices[i, 1]
    sliced = low >= 0
    total = high - low if sliced else asked.rows[i]
    whole = total <= most
    room = total if whole else most + asked.heavies[i, 1] - asked.heavies[i, 0]
    rows, weights, n = np.zeros(room, np.int64), np.zeros(room), 0
    if whole:
        for k in range(total):
            row = int(store.order[low + k]) if sliced else k
            if passes(store, asked, i, row):
                rows[n], weights[n] = row, 1.0
                n += 1
        return rows[:n], weights[:n], True
    for k in range(asked.heavies[i, 0], asked.heavies[i, 1]):
        row = int(store.heavies[k])
        if passes(store, asked, i, row):
            rows[n], weights[n] = row, 1.0
            n += 1
    before = n
    if sliced:
        drawn = 0
        for k in range(most):
            row = int(store.order[low + int((k + 0.5) * total / most)])
            if not store.heavy[asked.flags[i] + row]:
                drawn += 1
                if passes(store, asked, i, row):
                    rows[n] = row
                    n += 1
        each = total / most  # rows of the slice that a place in it stands for
    else:
        there = min(most, asked.some[i, 1] - asked.some[i, 0])
        for k in range(there):
            row = int(store.some[asked.some[i, 0] + k])
            if passes(store, asked, i, row):
                rows[n] = row
                n += 1
        each = (total - (asked.heavies[i, 1] - asked.heavies[i, 0])) / max(1, there)
    weights[before:n] = each
    return rows[:n], weights[:n], False


@compiled
def burden(store: Store, asked: Asked, i: int, most: int, degrees: Floats) -> float:
    """How badly counting begins from a relation: the rows that meet its conditions, or rows that refer to those.

    Rows that others refer to in turn count: where they must be sampled, those that
    very many refer to are missed, but for the known ones. `degrees` (relations, relations)
    gets how many rows of each other relation refer to one of these.
    """
    rows, weights, _ = begin(store, asked, i, most)
    passing = weights.sum()
    worst = passing * asked.vague[i]
    if asked.heavies[i, 1] == asked.heavies[i, 0]:
        worst *= 4.0
    for m in range(len(asked.of)):
        if asked.relation[m] != i:
            continue
        for o in range(len(asked.of)):
            j = asked.relation[o]
            if asked.of[o] != asked.of[m] or j == i or asked.key[o]:
                continue
            if not asked.key[m]:
                degrees[j, i] = asked.rows[j] / asked.values[o]
                continue
            total = 0.0
            for k in range(len(rows)):
                at = asked.starts[o] + rows[k]
                total += weights[k] * (store.starts[at + 1] - store.starts[at])
            degrees[j, i] = total / max(1.0, passing)
            if asked.heavies[j, 1] > asked.heavies[j, 0]:
                worst = max(worst, total)
    return float(worst)


@compiled
def follow(store: Store, asked: Asked, m: int, values: Ints, most: int) -> tuple[Ints, Ints, Floats, bool]:
    """Rows of a member's relation by values of its class that meet its conditions: the rows, whose, what each stands
    for, and whether they are all."""
    i = asked.relation[m]
    rows, owners, weights, n = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0
    if asked.key[m]:
        rows, owners, weights = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64), np.ones(len(values))
        for k in range(len(values)):
            if passes(store, asked, i, values[k]):
                rows[n], owners[n] = values[k], k
                n += 1
        return rows[:n], owners[:n], weights[:n], True
    each = max(4, most // max(1, len(values)))
    starts, referring = asked.starts[m], asked.referring[m]
    room, whole = 0, True
    for value in values:
        at = starts + value
        there = store.starts[at + 1] - store.starts[at]
        room += min(each + store.fronts[at], there)
        whole = whole and bool(there <= each + store.fronts[at])
    rows, owners, weights = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room)
    for k in range(len(values)):
        at = starts + values[k]
        low, there, front = referring + store.starts[at], store.starts[at + 1] - store.starts[at], store.fronts[at]
        taken = min(each + front, there)
        stand = (there - front) / max(1, taken - front)
        for place in range(taken):
            row = int(store.referring[low + place])
            if passes(store, asked, i, row):
                rows[n], owners[n], weights[n] = row, k, 1.0 if place < front else stand
                n += 1
    return rows[:n], owners[:n], weights[:n], whole


@compiled
def targets(store: Store, asked: Asked, m: int, rows: Ints, slots: Small) -> tuple[Ints, Ints]:
    """The different values that a member's column has in some rows, and for each row which of them; -1 is none.

    `slots` is -1 everywhere, as it is left.
    """
    values, at, n = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64), 0
    for k in range(len(rows)):
        value = rows[k] if asked.key[m] else np.int64(store.refers[asked.refers[m] + rows[k]])
        if value >= 0:
            if slots[value] < 0:
                slots[value] = n
                values[n] = value
                n += 1
            at[k] = slots[value]
    for k in range(n):
        slots[values[k]] = -1
    return values[:n], at


@compiled
def combine(left: Floats, right: Floats) -> Floats:
    """Products: (rows, a), (rows, b) -> (rows, a * b)."""
    rows, a, b = left.shape[0], left.shape[1], right.shape[1]
    found = np.zeros((rows, a * b))
    for k in range(rows):
        for x in range(a):
            factor = left[k, x]
            if factor != 0.0:
                for y in range(b):
                    found[k, x * b + y] = factor * right[k, y]
    return found


@compiled
def with_none(matrix: Floats, lookups: Floats) -> Floats:
    """In front a column of ones, for none of the subsets behind, and where there are `lookups`, a column of these."""
    before = 2 if len(lookups) else 1
    found = np.ones((matrix.shape[0], matrix.shape[1] + before))
    if len(lookups):
        found[:, 1] = lookups
    found[:, before:] = matrix
    return found


@compiled
def found_by(store: Store, asked: Asked, o: int, values: Ints) -> Floats:
    """Rows of a member's relation by value, before its conditions; none where there are no conditions."""
    i = asked.relation[o]
    if asked.first[i] == asked.first[i + 1] and asked.vague[i] == 1.0:
        return np.zeros(0)
    found = np.ones(len(values))
    if not asked.key[o]:
        for k in range(len(values)):
            at = asked.starts[o] + values[k]
            found[k] = store.starts[at + 1] - store.starts[at]
    return found


@compiled
def unions(left: Ints, right: Ints) -> Ints:
    """(a,), (b,) -> (a * b,) bitsets of both."""
    found = np.zeros(len(left) * len(right), np.int64)
    for a in range(len(left)):
        for b in range(len(right)):
            found[a * len(right) + b] = left[a] | right[b]
    return found


@compiled
def lesser(left: Floats, right: Floats) -> Floats:
    """(a,), (b,) -> (a * b,) the lesser of both."""
    found = np.zeros(len(left) * len(right))
    for a in range(len(left)):
        for b in range(len(right)):
            found[a * len(right) + b] = min(left[a], right[b])
    return found


@compiled
def others(asked: Asked, left: int, m: int) -> bool:
    """Whether a member's class has members of other relations that are `left`."""
    for o in range(len(asked.of)):  # noqa: SIM110 - compiled
        if asked.of[o] == asked.of[m] and o != m and left >> asked.relation[o] & 1:
            return True
    return False


@compiled
def rooted(store: Store, asked: Asked, sizes: Sizes, slots: Small, left: int, root: int) -> tuple[Ints, Floats, Floats]:
    """Connected subsets of the relations `left` that hold `root`: bitsets, rows, on how many sampled rows they rest.

    First away from the root: a visit is a relation that was reached, with rows, each
    for a value of the class through which it was reached; a fork is a class, seen from
    a visit, with the value of each of its rows. Then back.
    """
    start, stand, whole = begin(store, asked, root, sizes.begin)
    relation, parent, complete = [root], [-1], [whole]  # by visit; the parent is a fork
    rows, owners, weights, lookups = [start], [np.zeros(len(start), np.int64)], [stand], [np.zeros(0)]
    seen_from, of, at, number = [-1], [-1], [np.zeros(0, np.int64)], [1]  # by fork, the first one is none
    k = 0
    while k < len(relation):
        i = relation[k]
        for m in range(len(asked.of)):
            c = asked.of[m]
            if asked.relation[m] != i or (k > 0 and of[parent[k]] == c) or not others(asked, left, m):
                continue
            values, which = targets(store, asked, m, rows[k], slots)
            seen_from.append(k)
            of.append(c)
            at.append(which)
            number.append(len(values))
            for o in range(len(asked.of)):
                j = asked.relation[o]
                if asked.of[o] == c and j != i and left >> j & 1:
                    theirs, whose, each, there = follow(store, asked, o, values, sizes.follow)
                    relation.append(j)
                    parent.append(len(of) - 1)
                    complete.append(there)
                    rows.append(theirs)
                    owners.append(whose)
                    weights.append(each)
                    lookups.append(found_by(store, asked, o, values) if sizes.lookups else np.zeros(0))
        k += 1
    behind = [np.ones((n, 1)) for n in number]  # by fork: (values, subsets) rows of what is behind it
    masks, support = [np.zeros(1, np.int64) for _ in number], [np.full(1, np.inf) for _ in number]
    here, total, known = np.zeros(0, np.int64), np.zeros((1, 0)), np.zeros(0)
    for k in range(len(relation) - 1, -1, -1):
        found = np.full((len(rows[k]), 1), asked.vague[relation[k]])
        here = np.array([1 << relation[k]], np.int64)
        known = np.full(1, np.inf if asked.vague[relation[k]] == 1.0 else 0.0)
        for f in range(1, len(of)):
            if seen_from[f] == k:
                found = combine(found, spread(behind[f], at[f]))
                here, known = unions(here, masks[f]), lesser(known, support[f])
        f = max(0, parent[k])
        total = gathered(found, known, owners[k], weights[k], number[f], complete[k])
        if k == 0:
            break
        star = np.full(1 if len(lookups[k]) else 0, 1 << (relation[k] + STARS), np.int64)
        behind[f] = combine(behind[f], with_none(total, lookups[k]))
        masks[f] = unions(masks[f], np.append(np.append(np.zeros(1, np.int64), star), here))
        support[f] = lesser(support[f], np.append(np.full(1 + len(star), np.inf), known))
    return here, total[0], known


@compiled
def spread(of_values: Floats, at: Ints) -> Floats:
    """(values, subsets) -> (rows, subsets); a row without a value has only the empty subset, the first."""
    found = np.zeros((len(at), of_values.shape[1]))
    found[:, 0] = 1.0
    for k in range(len(at)):
        if at[k] >= 0:
            found[k] = of_values[at[k]]
    return found


@compiled
def gathered(found: Floats, support: Floats, owners: Ints, weights: Floats, number: int, whole: bool) -> Floats:
    """Rows added up by owner, (number, subsets).

    `support` is lowered to the effective number of the rows that stand for more than themselves.
    """
    subsets = found.shape[1]
    total, squares = np.zeros((number, subsets)), np.zeros(subsets)
    for k in range(len(owners)):
        for s in range(subsets):
            share = weights[k] * found[k, s]
            total[owners[k], s] += share
            if weights[k] > 1.0:
                squares[s] += share * share
    for s in range(subsets):
        of_all = total[:, s].sum()
        if squares[s] > 0.0:
            support[s] = min(support[s], of_all * of_all / squares[s])
        elif of_all == 0.0 and not whole:
            support[s] = 0.0
    return total


@compiled
def count(store: Store, asked: Asked, sizes: Sizes, slots: Small) -> Counted:
    """All of a query. `slots` is -1 everywhere, as it is left."""
    n = len(asked.rows)
    degrees = np.full((n, n), np.nan)
    expected = np.zeros(n)
    for i in range(n):
        expected[i] = burden(store, asked, i, sizes.begin, degrees)
    left = (1 << n) - 1
    subsets, rows, support = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    for i in np.argsort(expected):
        masks, total, known = rooted(store, asked, sizes, slots, left, i)
        subsets, rows = np.append(subsets, masks), np.append(rows, total)
        support = np.append(support, known)
        left &= ~(1 << i)
    order = np.argsort(subsets)
    return subsets[order], rows[order], support[order], degrees
