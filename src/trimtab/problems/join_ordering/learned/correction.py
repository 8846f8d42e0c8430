# SPDX-License-Identifier: Apache-2.0
"""Row counts corrected by what was counted before, then dynamic programming.

The logarithm of (count / estimate) of a sub-plan is a Gaussian process
(Rasmussen and Williams 2006, chapter 2) over its tokens and a few numbers. The
covariance of two sub-plans is the sum of: the inner product of their weighted
tokens (errors that multiply, token by token), a squared exponential of the
tokens' distance (sub-plans that are almost the same), and one of the numbers'.
Training is one Cholesky factorisation: under a second for 50 queries.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.kit.weights import CardedWeights, load_weights, read_card

from ..baselines import Exhaustive
from ..problem import ESTIMATE, EXACT, Cardinalities, Floats, Ints, JoinPlan, JoinQuery
from .tokens import NUMBERS, Tokens, numbers, tokens

SCALES: Final = np.array([3.0, 2.0, 2.0, 0.5, 4.0])  # of the numbers
NOISE: Final = 0.3  # standard deviation of what tokens and numbers can't tell
MOST_POINTS: Final = 4000  # counted sub-plans that are learnt from; more are thinned out evenly


class Points(NamedTuple):
    """Sub-plans of one query."""

    tokens: Tokens
    subsets: Ints  # (points,)
    numbers: Floats  # (points, NUMBERS)


class Corrected(CardedWeights):
    """The solver: dynamic programming over corrected estimates. Without arguments, trained on the shipped queries.

    Where an instance has no estimates, solvers see the counts: nothing is corrected.
    """

    track = "policy"

    def __init__(self, points: Sequence[Points] | None = None, alpha: Floats | None = None,
                 card: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        if points is None or alpha is None:
            points, alpha, card = shipped()
        self.points: tuple[Points, ...] = tuple(points)
        self.alpha: Floats = alpha
        sizes = {"queries": len(points), "tokens": sum(len(p.tokens.mask) for p in points), "points": len(alpha)}
        self.card: Mapping[str, Any] = {**(card or {}), **sizes}
        self.weights = _arrays(self.points, alpha)
        self._matrix = _Matrix(self.points)

    @property
    def config(self) -> dict[str, Any]:
        return {"noise": NOISE, "points": len(self.alpha)}

    def correct(self, query: JoinQuery) -> Cardinalities:
        """The estimates, corrected. The query must have some."""
        assert query.estimates is not None
        cards = query.estimates
        here = Points(tokens(query), cards.subsets, numbers(query, cards))
        log = np.log(np.maximum(cards.rows, 1.0)) + self._matrix.covariance(_Matrix((here,))) @ self.alpha
        kinds = np.full(len(cards.subsets), ESTIMATE, np.int8)
        return Cardinalities(cards.subsets, np.exp(np.clip(log, 0.0, 60.0)), kinds, f"{cards.source}, corrected")

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        query = task.instance
        if query.estimates is not None:
            query = replace(query, estimates=self.correct(query))
        return Exhaustive().solve(replace(task, instance=query))

    @classmethod
    def load(cls, path: Path) -> Corrected:
        """Raises `DataError` where the file does not hold a correction."""
        card = read_card(path)
        sizes = [card.get(name) for name in ("queries", "tokens", "points")]
        if not all(type(size) is int and 0 < size < 1 << 20 for size in sizes):
            raise DataError(f"weights file {path}: its card names no queries, tokens and points: not a correction")
        queries, count, points = (int(size or 0) for size in sizes)
        shapes: dict[str, tuple[int, ...]] = {
            **dict.fromkeys(("mask", "name", "weight"), (count,)),
            "first_token": (queries + 1,),
            "subset": (2, points),
            "numbers": (points, NUMBERS),
            "alpha": (points,),
        }
        arrays, card = load_weights(path, shapes)
        first = arrays["first_token"].astype(np.int64)
        owner, subset = arrays["subset"].astype(np.int64)
        apart = first[0] == 0 and first[-1] == count and (np.diff(first) >= 0).all()
        if not apart or not 0 <= owner.min() <= owner.max() < queries:
            raise DataError(f"weights file {path}: its points and tokens do not belong to its queries")
        made = [
            Points(
                Tokens(
                    arrays["mask"][first[q] : first[q + 1]].astype(np.int64),
                    arrays["name"][first[q] : first[q + 1]].astype(np.int64),
                    arrays["weight"][first[q] : first[q + 1]].astype(np.float64),
                ),
                subset[owner == q],
                arrays["numbers"][owner == q].astype(np.float64),
            )
            for q in range(queries)
        ]
        order = np.argsort(owner, kind="stable")
        return cls(made, arrays["alpha"][order].astype(np.float64), card)


@dataclass(frozen=True)
class CorrectedLearner:
    """Learns from the counts of the instances' sub-plans; bounds are left out."""

    most_points: int = MOST_POINTS

    def fit(self, tasks: Sequence[Task[JoinQuery, JoinPlan]]) -> Corrected:
        clock = time.process_time()
        points, errors = _lessons([task.instance for task in tasks], self.most_points)
        if not points:
            raise UsageError("corrected: no instance has both estimates and counts: there is nothing to learn from")
        matrix = _Matrix(points)
        covariance = matrix.covariance(matrix)
        covariance[np.diag_indices(len(errors))] += NOISE**2
        alpha = _solve(covariance, errors).astype(np.float32).astype(np.float64)  # as it is saved
        card = {
            "solver": "corrected",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "seed": tasks[0].seed,
            "cpu_s": round(time.process_time() - clock, 2),
            "trained_on": sorted({fingerprint(task.instance) for task in tasks}),
        }
        return Corrected([_rounded(p) for p in points], alpha, card)


@cache
def shipped() -> tuple[tuple[Points, ...], Floats, Mapping[str, Any]]:
    """Trained on the training split that trimtab ships: it takes less than reading a file of it would save."""
    from ..simulator import Simulator
    from ..workload import instances

    made = CorrectedLearner().fit([Task(q, Simulator(), Budget(0), 0) for q in instances("train").values()])
    return made.points, made.alpha, made.card


def _lessons(queries: Sequence[JoinQuery], most: int) -> tuple[list[Points], Floats]:
    """Counted sub-plans of each query that has estimates too, and log (count / estimate)."""
    points, errors = [], []
    for query in queries:
        cards, counts = query.estimates, query.cardinalities
        if cards is None:
            continue
        exact = counts.subsets[counts.kinds == EXACT]
        both = np.flatnonzero(np.isin(cards.subsets, exact))
        at = np.searchsorted(counts.subsets, cards.subsets[both])
        errors.append(np.log(np.maximum(counts.rows[at], 1.0)) - np.log(np.maximum(cards.rows[both], 1.0)))
        points.append(Points(tokens(query), cards.subsets[both], numbers(query, cards)[both]))
    total = sum(map(len, errors))
    if total > most:
        keep = np.linspace(0, total - 1, most).astype(np.int64)
        chosen = np.zeros(total, np.bool_)
        chosen[keep] = True
        first = np.cumsum([0, *map(len, errors)])
        parts = [chosen[first[k] : first[k + 1]] for k in range(len(points))]
        points = [Points(p.tokens, p.subsets[c], p.numbers[c]) for p, c in zip(points, parts, strict=True)]
        errors = [e[c] for e, c in zip(errors, parts, strict=True)]
    return points, np.concatenate(errors) if errors else np.zeros(0)


class _Matrix:
    """Sub-plans as rows of weighted token counts."""

    def __init__(self, points: Sequence[Points]) -> None:
        from scipy import sparse

        rows, columns, values, done = [], [], [], 0
        for p in points:
            row, token = np.nonzero((p.subsets[:, None] & p.tokens.mask) == p.tokens.mask)
            rows.append(row + done)
            columns.append(p.tokens.name[token])
            values.append(p.tokens.weight[token])
            done += len(p.subsets)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        self.counts = sparse.csr_matrix(entries, shape=(done, 1 << 24))  # the same token twice adds up
        self.norms = np.asarray(self.counts.multiply(self.counts).sum(axis=1)).ravel()
        self.numbers = np.concatenate([p.numbers for p in points]) / SCALES

    def covariance(self, other: _Matrix) -> Floats:
        """(other's points, own points)"""
        shared = np.asarray((other.counts @ self.counts.T).todense())
        apart = np.maximum(other.norms[:, None] + self.norms - 2 * shared, 0.0)
        differ = ((other.numbers[:, None] - self.numbers) ** 2).sum(axis=2)
        return np.asarray(shared + np.exp(-apart / 2) + np.exp(-differ / 2), np.float64)


def _arrays(points: Sequence[Points], alpha: Floats) -> dict[str, NDArray[np.float32]]:
    """As a file keeps them."""
    first = np.cumsum([0, *(len(p.tokens.mask) for p in points)])
    owner = np.repeat(np.arange(len(points)), [len(p.subsets) for p in points])
    return {
        "mask": _floats([p.tokens.mask for p in points]),
        "name": _floats([p.tokens.name for p in points]),
        "weight": _floats([p.tokens.weight for p in points]),
        "first_token": first.astype(np.float32),
        "subset": np.stack([owner, np.concatenate([p.subsets for p in points])]).astype(np.float32),
        "numbers": _floats([p.numbers for p in points]),
        "alpha": alpha.astype(np.float32),
    }


def _solve(covariance: Floats, errors: Floats) -> Floats:
    from scipy.linalg import cho_factor, cho_solve

    return np.asarray(cho_solve(cho_factor(covariance, lower=True), errors))


def _rounded(p: Points) -> Points:
    """As a file of float32 keeps it, so that a loaded solver decides as the saved one."""
    t = p.tokens
    weight = t.weight.astype(np.float32).astype(np.float64)
    return Points(Tokens(t.mask, t.name, weight), p.subsets, p.numbers.astype(np.float32).astype(np.float64))


def _floats(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    return np.concatenate(parts).astype(np.float32)
