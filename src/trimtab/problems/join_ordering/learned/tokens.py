# SPDX-License-Identifier: Apache-2.0
"""What a sub-plan consists of, as tokens: the same token wherever the same thing is joined or asked for.

A token is a table, a predicate (with its constants, and without), a join, a
predicate beside a join, two joins that meet in a relation, a predicate across
such a pair, or two predicates that meet. Optimisers multiply the selectivities
of such things as if they were independent; where they are not, the error comes
back wherever the tokens do, and can be learnt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

from ..problem import Cardinalities, Floats, Ints, JoinEdge, JoinQuery, bits

#: Prior standard deviation of the log error that a token of each kind brings.
WEIGHTS: Final = {
    "table": 0.3,
    "predicate": 0.7,
    "constant": 0.7,
    "join": 0.3,
    "predicate-join": 0.7,
    "constant-join": 0.5,
    "join-join": 0.5,
    "predicate-join-join": 0.5,
    "predicate-predicate": 0.5,
}

NUMBERS: Final = 5  # of a sub-plan, see `numbers`

_CONSTANT: Final = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


class Tokens(NamedTuple):
    """All tokens of a query: one stands in a sub-plan that contains its relations."""

    mask: Ints  # (tokens,) bitset of relations
    name: Ints  # (tokens,) a hash of 24 bits, so that float32 holds it
    weight: Floats  # (tokens,)


def tokens(query: JoinQuery) -> Tokens:
    """In no particular order; a token may stand there several times."""
    found = list(_tokens(query))
    return Tokens(
        np.array([mask for mask, _, _ in found], np.int64),
        np.array([_hash(f"{kind} {text}") for _, kind, text in found], np.int64),
        np.array([WEIGHTS[kind] for _, kind, _ in found]),
    )


def numbers(query: JoinQuery, cards: Cardinalities) -> Floats:
    """Per subset: log estimate; by how much independence of all joins would differ; relations; 1 where the estimate
    is a single row; log rows of the largest relation.  (subsets, NUMBERS)
    """
    base = np.array([np.log(max(cards.get(1 << i) or 1.0, 1.0)) for i in range(query.num_relations)])
    pairs = []
    for edge in _written(query):
        both = 1 << edge.left | 1 << edge.right
        pairs.append((both, float(np.log(max(cards.get(both) or 1.0, 1.0)) - base[edge.left] - base[edge.right])))
    estimate = np.log(np.maximum(cards.rows, 1.0))
    rows = np.zeros((len(cards.subsets), NUMBERS))
    for k, subset in enumerate(cards.subsets.tolist()):
        inside = [base[i] for i in bits(subset)]
        alone = sum(inside) + sum(log for mask, log in pairs if mask & subset == mask)
        rows[k] = estimate[k], alone - estimate[k], len(inside), estimate[k] < 0.5, max(inside)
    return rows


def _tokens(query: JoinQuery) -> Iterator[tuple[int, str, str]]:
    predicates = [[_plain(r.alias, text) for text in r.predicates] for r in query.relations]
    for i, relation in enumerate(query.relations):
        yield 1 << i, "table", relation.table
        for constant, general in predicates[i]:
            yield 1 << i, "predicate", f"{relation.table} {general}"
            yield 1 << i, "constant", f"{relation.table} {constant}"
        for k, (_, general) in enumerate(predicates[i]):
            for _, other in predicates[i][:k]:
                yield 1 << i, "predicate-predicate", _pair(f"{relation.table} {general}", f"{relation.table} {other}")
    edges = _written(query)
    for edge in edges:
        yield from _of_join(query, predicates, edge)
    for k, edge in enumerate(edges):
        for before in edges[:k]:
            for i in {edge.left, edge.right} & {before.left, before.right}:
                yield from _of_meeting(query, predicates, edge, before, i)


def _of_join(
    query: JoinQuery, predicates: list[list[tuple[str, str]]], edge: JoinEdge
) -> Iterator[tuple[int, str, str]]:
    both = 1 << edge.left | 1 << edge.right
    yield both, "join", _pair(_seen_from(query, edge, edge.left), _seen_from(query, edge, edge.right))
    for i in (edge.left, edge.right):
        for constant, general in predicates[i]:
            yield both, "predicate-join", f"{_seen_from(query, edge, i)} {general}"
            yield both, "constant-join", f"{_seen_from(query, edge, i)} {constant}"
    for _, one in predicates[edge.left]:
        for _, two in predicates[edge.right]:
            left, right = query.relations[edge.left].table, query.relations[edge.right].table
            yield both, "predicate-predicate", _pair(f"{left} {one}", f"{right} {two}")


def _of_meeting(
    query: JoinQuery, predicates: list[list[tuple[str, str]]], edge: JoinEdge, other: JoinEdge, i: int
) -> Iterator[tuple[int, str, str]]:
    """Of two joins that meet in relation `i`."""
    a, b = edge.left + edge.right - i, other.left + other.right - i
    mask = 1 << a | 1 << b | 1 << i
    meeting = _pair(_seen_from(query, edge, i), _seen_from(query, other, i))
    yield mask, "join-join", meeting
    for far in (a, b):
        for _, general in predicates[far]:
            yield mask, "predicate-join-join", f"{query.relations[far].table} {general} {meeting}"
    for _, one in predicates[a]:
        for _, two in predicates[b]:
            left, right = query.relations[a].table, query.relations[b].table
            yield mask, "predicate-predicate", _pair(f"{left} {one}", f"{right} {two}") + query.relations[i].table


def _seen_from(query: JoinQuery, edge: JoinEdge, i: int) -> str:
    """A join, from the side of relation `i`."""
    left = f"{query.relations[edge.left].table}.{edge.left_column}"
    right = f"{query.relations[edge.right].table}.{edge.right_column}"
    return f"{left}>{right}" if i == edge.left else f"{right}>{left}"


def _written(query: JoinQuery) -> list[JoinEdge]:
    return [edge for edge in query.edges if not edge.implied]


def _plain(alias: str, predicate: str) -> tuple[str, str]:
    """Without the alias; and without constants as well."""
    text = re.sub(rf'"?\b{re.escape(alias)}\b"?\.', "", predicate)
    return text, _CONSTANT.sub("?", text)


def _pair(one: str, two: str) -> str:
    return "&".join(sorted((one, two)))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=3).digest(), "little")
