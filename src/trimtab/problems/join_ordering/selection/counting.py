# SPDX-License-Identifier: Apache-2.0
"""Rows of every connected subset of a tree of joins, counted on samples along the foreign keys; compiled.

Subsets are divided by the first of their relations in the order of filtered rows. From
rows of that one the rows that join them are followed, table by table, at most so
many for each value; then every rooted subset is summed up at once on the way back, a row's
numbers being products of what is behind it, as factorised databases count. (Index-based
join sampling, Leis et al., CIDR 2017, does the first half, for one subset at a time.)
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

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


#: A relation, as places in a `Store`.
RELATION: Final = np.dtype([
    ("rows", np.int64),  # of the table
    ("flags", np.int64),  # where the table's part of `heavy` begins
    ("heavies", np.int64), ("heavies_end", np.int64),  # its heavy rows
    ("some", np.int64), ("some_end", np.int64),  # its sample
    ("low", np.int64), ("high", np.int64),  # begin and end in `order` of the rows that meet a condition; -1: no condition
    ("first", np.int64), ("last", np.int64),  # begin and end of its conditions
    ("vague", np.float64),  # share that conditions of other forms are taken to leave
    ("share", np.float64),  # of its rows that meet all conditions, by independence
    ("page", np.float64),  # rows on a page of 8 KiB, about
])  # fmt: skip
#: low <= value < high
CONDITION: Final = np.dtype([("column", np.int64), ("low", np.float64), ("high", np.float64)])  # where `values` has it
#: A column of a relation, one of a class of equal ones. Relations and classes are a tree.
MEMBER: Final = np.dtype([
    ("of", np.int64),  # its class
    ("relation", np.int64),
    ("key", np.int64),  # 1 where the column is the table's key, else 0
    ("refers", np.int64), ("referring", np.int64), ("starts", np.int64),  # where these begin in the `Store`, if it is not
    ("values", np.int64),  # rows of the table that the class's values are of
    ("looked", np.int64),  # how rows are looked up by the column: KEY, NEAR, FAR or UNINDEXED
])  # fmt: skip

Records = NDArray[np.void]


class Asked(NamedTuple):
    """A query, as places in a `Store`."""

    relations: Records
    conditions: Records
    members: Records


#: Every connected subset, its rows, on how many sampled rows these rest (inf: counted), and (relations, relations) how
#: many rows of the one, before its conditions, refer to what a row of the other has; NaN where they are not joined so.
Counted = tuple[Ints, Floats, Floats, Floats]


SHORT: Final = 1024  # length of arrays that may become longer


class Sizes(NamedTuple):
    """How much is looked at."""

    begin: int = 512  # rows that counting begins from
    follow: int = 2048  # rows of a relation that are followed to, about
    lookups: bool = True  # whether rows that lookups find are counted, too


@compiled
def passes(store: Store, asked: Asked, i: int, row: int) -> bool:
    """Whether a row meets a relation's conditions."""
    for k in range(asked.relations[i].first, asked.relations[i].last):
        condition = asked.conditions[k]
        if not (condition.low <= store.values[condition.column + row] < condition.high):
            return False
    return True


@compiled
def longer(array: NDArray[Any], needed: int) -> NDArray[Any]:
    """The array, or a longer one that begins with it."""
    if needed <= len(array):
        return array
    found = np.empty(2 * needed, array.dtype)
    found[: len(array)] = array
    return found


@compiled
def begun(asked: Asked, i: int, most: int) -> int:
    """How many rows `begin` finds, at most."""
    here = asked.relations[i]
    total = here.high - here.low if here.low >= 0 else here.rows
    return int(total if total <= most else most + here.heavies_end - here.heavies)


@compiled
def begin(store: Store, asked: Asked, i: int, most: int, rows: Ints, weights: Floats) -> tuple[int, bool]:
    """Rows of a relation that meet its conditions, and how many each stands for: how many, and whether they are all.

    Few rows are all taken; else the heavy ones, each for itself, and some of the others.
    """
    here, n = asked.relations[i], 0
    sliced = here.low >= 0
    total = here.high - here.low if sliced else here.rows
    if total <= most:
        for k in range(total):
            row = int(store.order[here.low + k]) if sliced else k
            if passes(store, asked, i, row):
                rows[n], weights[n] = row, 1.0
                n += 1
        return n, True
    for k in range(here.heavies, here.heavies_end):
        row = int(store.heavies[k])
        if passes(store, asked, i, row):
            rows[n], weights[n] = row, 1.0
            n += 1
    before = n
    if sliced:
        drawn = 0
        for k in range(most):
            row = int(store.order[here.low + int((k + 0.5) * total / most)])
            if not store.heavy[here.flags + row]:
                drawn += 1
                if passes(store, asked, i, row):
                    rows[n] = row
                    n += 1
        each = total / most  # rows of the slice that a place in it stands for
    else:
        there = min(most, here.some_end - here.some)
        for k in range(there):
            row = int(store.some[here.some + k])
            if passes(store, asked, i, row):
                rows[n] = row
                n += 1
        each = (total - (here.heavies_end - here.heavies)) / max(1, there)
    weights[before:n] = each
    return n, False


@compiled
def burden(store: Store, asked: Asked, i: int, rows: Ints, weights: Floats, degrees: Floats) -> float:
    """How badly counting begins from a relation's rows: the rows that meet its conditions, or rows that refer to those.

    Rows that others refer to in turn count: where they must be sampled, those that
    very many refer to are missed, but for the known ones. `degrees` (relations, relations)
    gets how many rows of each other relation refer to one of these.
    """
    here, passing = asked.relations[i], weights.sum()
    worst = passing * here.vague
    if here.heavies_end == here.heavies:
        worst *= 4.0
    for m in asked.members:
        if m.relation != i:
            continue
        for o in asked.members:
            j = o.relation
            if o.of != m.of or j == i or o.key:
                continue
            if not m.key:
                degrees[j, i] = asked.relations[j].rows / o.values
                continue
            total = 0.0
            for k in range(len(rows)):
                at = o.starts + rows[k]
                total += weights[k] * (store.starts[at + 1] - store.starts[at])
            degrees[j, i] = total / max(1.0, passing)
            if asked.relations[j].heavies_end > asked.relations[j].heavies:
                worst = max(worst, total)
    return float(worst)


@compiled
def room(store: Store, asked: Asked, m: int, values: Ints, most: int) -> int:
    """How many rows `follow` finds, at most."""
    member, total = asked.members[m], len(values)
    if not member.key:
        each, total = max(4, most // max(1, len(values))), 0
        for value in values:
            at = member.starts + value
            total += min(each + store.fronts[at], store.starts[at + 1] - store.starts[at])
    return int(total)


@compiled
def follow(
    store: Store, asked: Asked, m: int, values: Ints, most: int, rows: Ints, owners: Ints, weights: Floats
) -> tuple[int, bool]:
    """Rows of a member's relation by values of its class that meet its conditions, whose, and what each stands for:
    how many, and whether they are all."""
    member, n, whole = asked.members[m], 0, True
    i = member.relation
    if member.key:
        for k in range(len(values)):
            if passes(store, asked, i, values[k]):
                rows[n], owners[n], weights[n] = values[k], k, 1.0
                n += 1
        return n, True
    each = max(4, most // max(1, len(values)))
    for k in range(len(values)):
        at = member.starts + values[k]
        low, front = member.referring + store.starts[at], store.fronts[at]
        there = store.starts[at + 1] - store.starts[at]
        taken = min(each + front, there)
        stand = (there - front) / max(1, taken - front)
        whole = whole and bool(taken == there)
        for place in range(taken):
            row = int(store.referring[low + place])
            if passes(store, asked, i, row):
                rows[n], owners[n], weights[n] = row, k, 1.0 if place < front else stand
                n += 1
    return n, whole


@compiled
def targets(store: Store, asked: Asked, m: int, rows: Ints, slots: Small, values: Ints, at: Ints) -> int:
    """The different values that a member's column has in some rows, and for each row which of them, -1 for none:
    how many values.

    `slots` is -1 everywhere, as it is left.
    """
    member, n = asked.members[m], 0
    for k in range(len(rows)):
        value = rows[k] if member.key else np.int64(store.refers[member.refers + rows[k]])
        at[k] = -1
        if value >= 0:
            if slots[value] < 0:
                slots[value] = n
                values[n] = value
                n += 1
            at[k] = slots[value]
    for k in range(n):
        slots[values[k]] = -1
    return n


@compiled
def others(asked: Asked, left: int, m: int) -> bool:
    """Whether a member's class has members of other relations that are `left`."""
    for o in range(len(asked.members)):  # noqa: SIM110 - compiled
        if asked.members[o].of == asked.members[m].of and o != m and left >> asked.members[o].relation & 1:
            return True
    return False


class Walk(NamedTuple):
    """The way from a root to all that it is joined with. Arrays may be longer than what is used of them.

    A visit is a relation that was reached, with rows, each for a value of the class
    through which it was reached; a fork is a class, seen from a visit, with the value
    of each of its rows.
    """

    relation: Ints  # (visits,)
    member: Ints  # (visits,) by which it was reached
    fork: Ints  # (visits,) through which
    whole: NDArray[np.bool_]  # (visits,) whether its rows are all
    first: Ints  # (visits + 1,) where its rows begin
    forks: Ints  # (visits + 1,) where its forks begin
    owners: Ints  # (rows,) which of the fork's values
    weights: Floats  # (rows,) how many each stands for
    number: Ints  # (forks,) of values
    began: Ints  # (forks,) where `values` and `at` begin
    values: Ints
    at: Ints  # for each row of the visit that the fork is seen from: which value, -1 for none


@compiled
def away(store: Store, asked: Asked, sizes: Sizes, slots: Small, left: int, root: int) -> Walk:
    """From rows of `root` to all relations `left`."""
    n, some = len(asked.relations), len(asked.members)
    relation, member, fork = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    whole, first, forks = np.empty(n, np.bool_), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    number, began = np.empty(some, np.int64), np.zeros(some + 1, np.int64)
    need = max(begun(asked, root, sizes.begin), min(2 * sizes.follow, SHORT))
    rows, owners, weights = np.empty(need, np.int64), np.zeros(need, np.int64), np.empty(need)
    values, at = np.empty(need, np.int64), np.empty(need, np.int64)
    relation[0] = root
    first[1], whole[0] = begin(store, asked, root, sizes.begin, rows, weights)
    k, visits, f = 0, 1, 0
    while k < visits:
        for m in range(some):
            mine = asked.members[m]
            if mine.relation != relation[k] or (k > 0 and member[k] == m) or not others(asked, left, m):
                continue
            place, last = began[f], began[f] + first[k + 1] - first[k]
            values, at = longer(values, last), longer(at, last)
            number[f] = targets(store, asked, m, rows[first[k] : first[k + 1]], slots, values[place:], at[place:])
            theirs = values[place : place + number[f]]
            for o in range(some):
                other = asked.members[o]
                if other.of == mine.of and other.relation != relation[k] and left >> other.relation & 1:
                    here = first[visits]
                    need = here + room(store, asked, o, theirs, sizes.follow)
                    rows, owners, weights = longer(rows, need), longer(owners, need), longer(weights, need)
                    found, whole[visits] = follow(
                        store, asked, o, theirs, sizes.follow, rows[here:], owners[here:], weights[here:]
                    )
                    relation[visits], member[visits], fork[visits] = other.relation, o, f
                    first[visits + 1] = here + found
                    visits += 1
            f += 1
            began[f] = last
        k += 1
        forks[k] = f
    return Walk(
        relation[:visits], member, fork, whole, first, forks, owners, weights, number, began, values, at
    )


@compiled
def unions(left: Ints, right: Ints) -> Ints:
    """(a,), (b,) -> (a * b,) bitsets of both."""
    found = np.empty(len(left) * len(right), np.int64)
    for a in range(len(left)):
        for b in range(len(right)):
            found[a * len(right) + b] = left[a] | right[b]
    return found


@compiled
def lesser(left: Floats, right: Floats) -> Floats:
    """(a,), (b,) -> (a * b,) the lesser of both."""
    found = np.empty(len(left) * len(right))
    for a in range(len(left)):
        for b in range(len(right)):
            found[a * len(right) + b] = min(left[a], right[b])
    return found


@compiled
def gathered(
    walk: Walk, k: int, vague: float, behind: Floats, place: Ints, width: Ints, support: Floats
) -> Floats:
    """Rows of a visit, each with all that is behind it, added up by owner: (values, subsets).

    `support` is lowered to the effective number of the rows that stand for more than themselves.
    """
    first, subsets = walk.first[k], len(support)
    total = np.zeros((walk.number[walk.fork[k]] if k else 1, subsets))
    squares, line = np.zeros(subsets), np.zeros(subsets)
    for row in range(first, walk.first[k + 1]):
        weight, owner = walk.weights[row], walk.owners[row]
        line[0], filled = vague * weight, 1
        for f in range(walk.forks[k], walk.forks[k + 1]):
            at, more = walk.at[walk.began[f] + row - first], width[f]
            theirs = place[f] + at * more
            for a in range(filled - 1, -1, -1):  # in place, so from behind
                factor = line[a]
                if at >= 0:
                    for b in range(more):
                        line[a * more + b] = factor * behind[theirs + b]
                else:  # only what is not joined with this
                    line[a * more] = factor
                    for b in range(1, more):
                        line[a * more + b] = 0.0
            filled *= more
        for s in range(subsets):
            total[owner, s] += line[s]
        if weight > 1.0:
            for s in range(subsets):
                squares[s] += line[s] * line[s]
    for s in range(subsets):
        of_all = total[:, s].sum()
        if squares[s] > 0.0:
            support[s] = min(support[s], of_all * of_all / squares[s])
        elif of_all == 0.0 and not walk.whole[k]:
            support[s] = 0.0
    return total


@compiled
def rooted(store: Store, asked: Asked, sizes: Sizes, slots: Small, left: int, root: int) -> tuple[Ints, Floats, Floats]:
    """Connected subsets of the relations `left` that hold `root`: bitsets, rows, on how many sampled rows they rest."""
    walk = away(store, asked, sizes, slots, left, root)
    visits = len(walk.relation)
    forks = walk.forks[visits]
    place, width, used = np.zeros(forks, np.int64), np.ones(forks, np.int64), 0
    for f in range(forks):
        place[f] = used
        used += walk.number[f]
    behind = np.ones(max(SHORT, used))  # by fork: (values, width)
    masks, support = [np.zeros(1, np.int64) for _ in range(forks)], [np.full(1, np.inf) for _ in range(forks)]
    for k in range(visits - 1, -1, -1):
        i, f = walk.relation[k], walk.fork[k]
        relation = asked.relations[i]
        here, known = np.array([1 << i], np.int64), np.full(1, np.inf if relation.vague == 1.0 else 0.0)
        for g in range(walk.forks[k], walk.forks[k + 1]):
            here, known = unions(here, masks[g]), lesser(known, support[g])
        total = gathered(walk, k, relation.vague, behind, place, width, known)
        if k == 0:
            break
        looked = sizes.lookups and (relation.first < relation.last or relation.vague < 1.0)
        some = 2 if looked else 1
        new, rests = np.zeros(some + len(here), np.int64), np.full(some + len(here), np.inf)
        if looked:
            new[1] = 1 << (i + STARS)
        new[some:], rests[some:] = here, known
        masks[f], support[f] = unions(masks[f], new), lesser(support[f], rests)
        # Without the visit; with the rows that a lookup finds; with the visit.
        behind = longer(behind, used + walk.number[f] * len(masks[f]))
        starts, to = asked.members[walk.member[k]].starts, used
        for v in range(walk.number[f]):
            found = 1.0
            if looked and starts >= 0:
                at = starts + walk.values[walk.began[f] + v]
                found = float(store.starts[at + 1] - store.starts[at])
            for a in range(width[f]):
                factor = behind[place[f] + v * width[f] + a]
                behind[to] = factor
                if looked:
                    behind[to + 1] = factor * found
                for b in range(len(here)):
                    behind[to + some + b] = factor * total[v, b]
                to += len(new)
        place[f], width[f], used = used, len(masks[f]), to
    return here, total[0], known


@compiled
def count(store: Store, asked: Asked, sizes: Sizes, slots: Small) -> Counted:
    """All of a query. `slots` is -1 everywhere, as it is left."""
    n = len(asked.relations)
    degrees, expected, need = np.full((n, n), np.nan), np.zeros(n), 0
    for i in range(n):
        need = max(need, begun(asked, i, sizes.begin))
    first, stand = np.empty(need, np.int64), np.empty(need)
    for i in range(n):
        found, _ = begin(store, asked, i, sizes.begin, first, stand)
        expected[i] = burden(store, asked, i, first[:found], stand[:found], degrees)
    left, found = (1 << n) - 1, 0
    subsets, rows, support = np.empty(64, np.int64), np.empty(64), np.empty(64)
    for i in np.argsort(expected):
        masks, total, known = rooted(store, asked, sizes, slots, left, i)
        last = found + len(masks)
        subsets, rows, support = longer(subsets, last), longer(rows, last), longer(support, last)
        subsets[found:last], rows[found:last], support[found:last] = masks, total, known
        left &= ~(1 << i)
        found = last
    order = np.argsort(subsets[:found])
    return subsets[order], rows[order], support[order], degrees
