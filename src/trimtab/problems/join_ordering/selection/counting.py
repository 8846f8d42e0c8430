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
from .sampling import Asked, Small, Store, begin, begun, follow, room, targets

#: A bitset with bit STARS + i: rows that a lookup of relation i finds, before its conditions, for rows of the others.
STARS: Final = 16

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
def longer(array: NDArray[Any], needed: int) -> NDArray[Any]:
    """The array, or a longer one that begins with it."""
    if needed <= len(array):
        return array
    found = np.empty(2 * needed, array.dtype)
    found[: len(array)] = array
    return found


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
def others(asked: Asked, left: int, m: int) -> bool:
    """Whether a member's class has members of other relations that are `left`."""
    for o in range(len(asked.members)):
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
    return Walk(relation[:visits], member, fork, whole, first, forks, owners, weights, number, began, values, at)


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
def gathered(walk: Walk, k: int, vague: float, behind: Floats, place: Ints, width: Ints, support: Floats) -> Floats:
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
    here, total, known = np.zeros(0, np.int64), np.zeros((1, 0)), np.zeros(0)
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
        behind = longer(behind, int(used + walk.number[f] * len(masks[f])))
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
