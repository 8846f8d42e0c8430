# SPDX-License-Identifier: Apache-2.0
"""Which configurations will be refused? A model of hidden rules, learnt from what crashed.

Programs refuse settings by rules: "this flag", "this value with that one". The
hypotheses are literals (a knob has a value; a number lies below or above a point
between two tried ones) and pairs of literals. A trial fails when a true rule
holds in it (noisy-or). What is believed of each hypothesis is found by mean-field
inference: one trial that works clears all that holds in it, and the simplest
rule that explains a failure gets the blame, because pairs are believed less
before they are seen.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ..encoding import Bools, Encoding, Floats, Ints

_SUCCESS: Final = 3.0  # failures that weigh as much as one success
_CUTS: Final = 8  # of a number's range at most, each way
_LITERAL: Final = 0.03  # prior mean of a literal being a rule
_PAIR: Final = 0.002
_FLAKY: Final = 0.01  # any trial may fail by chance
_ROUNDS: Final = 15
_CLEARED: Final = 2  # trials that worked in spite of it, after which a hypothesis is dropped
_STRICT: Final = 0.95  # how often a true rule makes a trial fail


class Feasibility:
    """P(a configuration works), learnt from codes and outcomes."""

    def __init__(self, encoding: Encoding, codes: Floats, valid: Bools) -> None:
        self._encoding = encoding
        self._first: Ints = np.zeros(0, np.int64)
        self._second: Ints = np.zeros(0, np.int64)
        self._belief: Floats = np.zeros(0)
        self._literals: Floats = np.zeros((0, 3))
        if not valid.all():
            self._learn(codes, valid)

    def works(self, codes: Floats) -> Floats:
        """(m,)"""
        if not len(self._belief):
            return np.full(len(codes), 1.0)
        holds = _table(codes, self._literals)
        fires = holds[:, self._first] & holds[:, self._second]
        chance: Floats = np.exp(fires @ np.log1p(-_STRICT * self._belief))
        return chance

    def _learn(self, codes: Floats, valid: Bools) -> None:
        literals = self._all_literals(codes, valid)
        holds = _table(codes, literals)
        some = np.flatnonzero(holds[~valid].any(axis=0))  # a literal that held in no failure explains none
        holds = holds[:, some]
        knob = literals[some, 0]
        together = holds[~valid].T.astype(np.float64) @ holds[~valid]
        cleared = holds[valid].T.astype(np.float64) @ holds[valid]
        apart = (knob[:, None] != knob) & (together > 0) & (cleared <= _CLEARED)
        one = np.flatnonzero(cleared.diagonal() <= _CLEARED)
        a, b = np.nonzero(np.triu(apart, 1))
        first, second = np.r_[one, a], np.r_[one, b]
        prior = np.where(first == second, _LITERAL, _PAIR)
        failed = holds[~valid]
        belief = _believe(failed[:, first] & failed[:, second], cleared[first, second], prior)
        matters = belief > 1e-3
        used, place = np.unique(np.r_[first[matters], second[matters]], return_inverse=True)
        self._literals = literals[some[used]]
        self._first, self._second = np.split(place, 2)
        self._belief = belief[matters]

    def _all_literals(self, codes: Floats, valid: Bools) -> Floats:
        """Intervals of the codes of a knob: (knob, above, up to).  (literals, 3)"""
        found: list[tuple[float, float, float]] = []
        for i, column in enumerate(self._encoding.columns):
            listed = {float(c) for c in codes[~valid, i] if c < 0 or not column.is_number}
            found += [(i, c - 0.5, c + 0.5) for c in sorted(listed)]
            if column.is_number:
                low, high = _cuts(codes[:, i], valid)
                found += [(i, -0.5, c) for c in low] + [(i, c, 2.0) for c in high]
        return np.array(found).reshape(-1, 3)


def _table(codes: Floats, literals: Floats) -> Bools:
    """Which literals hold.  (n, literals)"""
    x = codes[:, literals[:, 0].astype(np.int64)]
    holds: Bools = (x > literals[:, 1]) & (x <= literals[:, 2])
    return holds


def _cuts(x: Floats, valid: Bools) -> tuple[Floats, Floats]:
    """Where a number may be too low, and where too high: points between tried values.

    Of many, those that have the most failures on their side, and hardly a success.
    """
    regular = x >= 0
    seen, place = np.unique(x[regular], return_inverse=True)
    middles: Floats = 0.5 * (seen[1:] + seen[:-1])
    against = np.bincount(place, np.where(valid[regular], -_SUCCESS, 1.0), len(seen))
    below = np.cumsum(against)[:-1]
    low = np.argsort(-below, kind="stable")[:_CUTS]
    high = np.argsort(below, kind="stable")[:_CUTS]
    return middles[low], middles[high]


def _believe(failed: Bools, cleared: Floats, prior: Floats) -> Floats:
    """P(each hypothesis is a rule): mean-field under noisy-or.  (hypotheses,)

    The log odds of one are those of its prior, less what each success despite it
    costs, plus for each failure the log of how much likelier the hypothesis makes
    it than all the others do.

    failed: which hypotheses hold in each failure: few of them. cleared: successes
    despite each.
    """
    row, column = np.nonzero(failed)
    failures, many = failed.shape
    odds = np.log(prior / (1.0 - prior)) + cleared * math.log(1.0 - _STRICT)
    belief: Floats = 1.0 / (1.0 + np.exp(-odds))
    for _ in range(_ROUNDS):
        spares = np.log1p(-_STRICT * belief)[column]
        spared = np.bincount(row, spares, failures)[row] - spares  # by all but one
        rest = 1.0 - (1.0 - _FLAKY) * np.exp(spared)
        gain = np.bincount(column, np.log(_STRICT / np.maximum(rest, _FLAKY)), many)
        belief = 0.5 * belief + 0.5 / (1.0 + np.exp(-np.clip(odds + gain, -50.0, 50.0)))
    return belief
