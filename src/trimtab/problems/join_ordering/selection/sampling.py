# SPDX-License-Identifier: Apache-2.0
"""A database in memory, a query as places in it, and rows found in it: of a relation, or by a foreign key; compiled."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints

Small = NDArray[np.int32]

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
    ("low", np.int64), ("high", np.int64),  # where `order` has rows that meet a condition; -1: none
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
    ("refers", np.int64), ("referring", np.int64), ("starts", np.int64),  # where these begin in the store, else
    ("values", np.int64),  # rows of the table that the class's values are of
    ("looked", np.int64),  # how rows are looked up by the column: KEY, NEAR, FAR or UNINDEXED
])  # fmt: skip

Records = Any  # an array: compiled code reads its fields as attributes, which numpy's types don't know


class Asked(NamedTuple):
    """A query, as places in a `Store`."""

    relations: Records
    conditions: Records
    members: Records


@compiled
def passes(store: Store, asked: Asked, i: int, row: int) -> bool:
    """Whether a row meets a relation's conditions."""
    for k in range(asked.relations[i].first, asked.relations[i].last):
        condition = asked.conditions[k]
        if not (condition.low <= store.values[condition.column + row] < condition.high):
            return False
    return True


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
