# SPDX-License-Identifier: Apache-2.0
"""Rows of every connected subset: independence first, then a correction learnt from what was counted.

The product form takes predicates and joins as independent: base rows times, for
every class of equal columns, one over the number of its values for each member but one. Its
error, log(counted / product), is learnt by ridge regression on indicators of what
is in the subset: tables, predicates, joins, a predicate beside a join, two joins at
one relation, two predicates. All of them are terms with a bitset, so a query's
subsets cost one small matrix product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import DataError, InvalidInstance
from trimtab.kit.weights import load_weights, save_weights

from ..problem import ESTIMATE, Cardinalities, Floats, Ints, JoinQuery
from ..sql.text import connected_subsets

RIDGE: Final = 10.0

_COLUMN: Final = re.compile(r'\.("[^"]+"|\w+)')

Term = tuple[int, str]  # the relations that must all be there, and the name of the indicator


def terms(query: JoinQuery) -> list[Term]:
    """Indicators of a query; the same name may occur more than once, and then counts."""
    relations = query.relations
    filters = [(1 << i, i, f"{r.table}.{c}") for i, r in enumerate(relations) for c in _columns(r.predicates)]
    found: list[Term] = [(1 << i, f"T:{relation.table}") for i, relation in enumerate(relations)]
    found += [(mask, f"P:{name}") for mask, _, name in filters]
    ends: list[list[tuple[int, str]]] = [[] for _ in relations]
    for edge in query.edges:
        mask = 1 << edge.left | 1 << edge.right
        left = f"{relations[edge.left].table}.{edge.left_column}"
        right = f"{relations[edge.right].table}.{edge.right_column}"
        joint = "=".join(sorted((left, right)))
        found.append((mask, f"E:{joint}"))
        found += [(mask, f"PE:{name}|{joint}") for _, at, name in filters if at in (edge.left, edge.right)]
        ends[edge.left].append((mask, f"{edge.left_column}>{right}"))
        ends[edge.right].append((mask, f"{edge.right_column}>{left}"))
    for relation, here in zip(relations, ends, strict=True):
        for (mask, one), (more, other) in combinations(here, 2):
            found.append((mask | more, f"EE:{relation.table}:{'&'.join(sorted((one, other)))}"))
    for (mask, _, one), (more, _, other) in combinations(filters, 2):
        found.append((mask | more, f"PP:{'&'.join(sorted((one, other)))}"))
    return found


def _columns(predicates: Sequence[str]) -> list[str]:
    names = (_COLUMN.search(predicate) for predicate in predicates)
    return sorted({name[1] for name in names if name})


def product_logs(query: JoinQuery, base_rows: Sequence[float], subsets: Ints) -> Floats:
    """log rows of subsets under independence.  (subsets,)"""
    logs = np.zeros(len(subsets))
    for i, rows in enumerate(base_rows):
        logs += np.where(subsets >> i & 1, np.log(max(1.0, rows)), 0.0)
    for members, values in _classes(query):
        inside = sum((subsets >> i & 1) for i in members)
        logs -= np.maximum(0, inside - 1) * np.log(max(1.0, values))
    return np.maximum(0.0, logs)


def _classes(query: JoinQuery) -> list[tuple[list[int], float]]:
    """Classes of equal columns: (relations, values there are). Values are a key's rows, or the fewest rows about."""
    found: list[tuple[set[tuple[int, str]], set[int]]] = []
    for edge in query.edges:
        if edge.implied:
            continue
        ends = {(edge.left, edge.left_column), (edge.right, edge.right_column)}
        keys = {i for i, key in ((edge.left, edge.left_key), (edge.right, edge.right_key)) if key}
        touched = [one for one in found if one[0] & ends]
        found = [one for one in found if not one[0] & ends]
        found.append((ends.union(*(t[0] for t in touched)), keys.union(*(t[1] for t in touched))))
    return [([i for i, _ in columns], _values(query, columns, keys)) for columns, keys in found]


def _values(query: JoinQuery, columns: Iterable[tuple[int, str]], keys: Iterable[int]) -> float:
    rows = [query.relations[i].rows for i in (list(keys) or [i for i, _ in columns])]
    known = [r for r in rows if r == r]
    if not known:
        raise InvalidInstance(f"query {query.name!r}: the rows of its tables are not known")
    return min(known)


@dataclass(frozen=True)
class Correction:
    """Weights by indicator. What was never seen corrects nothing."""

    weights: Mapping[str, float] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    def cardinalities(self, query: JoinQuery, base_rows: Sequence[float]) -> Cardinalities:
        """Rows of every connected subset, flagged as estimates."""
        subsets = np.array(sorted(connected_subsets(query)), np.int64)
        logs = product_logs(query, base_rows, subsets) + self.logs(query, subsets)
        rows = np.exp(np.clip(logs, 0.0, 60.0))
        return Cardinalities(subsets, rows, np.full(len(subsets), ESTIMATE, np.int8), "corrected")

    def logs(self, query: JoinQuery, subsets: Ints) -> Floats:
        known = [(mask, self.weights[name]) for mask, name in terms(query) if name in self.weights]
        if not known:
            return np.zeros(len(subsets))
        masks = np.array([mask for mask, _ in known], np.int64)
        return np.asarray(((subsets[:, None] & masks) == masks) @ np.array([weight for _, weight in known]))

    def save(self, path: Path) -> None:
        names = sorted(self.weights)
        card = {**self.card, "indicators": json.dumps(names)}
        save_weights(path, {"weights": np.array([self.weights[name] for name in names], np.float32)}, card)

    @classmethod
    def load(cls, path: Path, size: int) -> Correction:
        arrays, card = load_weights(path, {"weights": (size,)})
        try:
            names = json.loads(card["indicators"])
            if len(names) != size or not all(isinstance(name, str) for name in names):
                raise ValueError("not a name for each weight")
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"weights file {path}: its card names no indicators ({error})") from None
        return cls(dict(zip(names, arrays["weights"].tolist(), strict=True)), card)


def fit(queries: Sequence[JoinQuery], base_rows: Sequence[Sequence[float]], *, ridge: float = RIDGE) -> Correction:
    """From counted queries; each weighs the same, however many subsets it has."""
    names: dict[str, int] = {}
    blocks, targets = [], []
    for query, base in zip(queries, base_rows, strict=True):
        subsets, here = query.cardinalities.subsets, terms(query)
        for _, name in here:
            names.setdefault(name, len(names))
        blocks.append((subsets, here))
        error = np.log(np.maximum(1.0, query.cardinalities.rows)) - product_logs(query, base, subsets)
        targets.append(error / np.sqrt(len(subsets)))
    gram, moment = np.eye(len(names)) * ridge / 50, np.zeros(len(names))
    for (subsets, here), target in zip(blocks, targets, strict=True):
        rows = np.zeros((len(subsets), len(names)))
        for mask, name in here:
            rows[:, names[name]] += (subsets & mask) == mask
        rows /= np.sqrt(len(subsets))
        gram += rows.T @ rows
        moment += rows.T @ target
    return Correction(dict(zip(names, np.linalg.solve(gram, moment).tolist(), strict=True)))
