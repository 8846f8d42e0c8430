# SPDX-License-Identifier: Apache-2.0
"""Predictions against measured truth: the metrics of `problem.METRICS`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.outcome import Outcome

from .problem import CONTENTS, LENGTHS, BlockSet, Floats, Prediction

_SHORT, _MEDIUM = 3, 10  # instructions, at most


def score(instance: BlockSet, decision: Prediction, truth: Floats) -> Outcome:
    """The errors over the blocks that have a truth; NaN there leaves a block out.

    A block without an answer (NaN) counts as an error of 100 %. Coverage and width
    are of predictions with intervals only. A kind that no block is of reports the
    error over all.
    """
    wrong = _misfit(instance, decision)
    judged = np.flatnonzero(np.isfinite(truth) & (truth > 0))
    if wrong or len(judged) < 2:
        unknown = f"{len(judged)} of {len(instance)} blocks were ever measured; --backend system measures them here"
        return Outcome({}, feasible=False, note=wrong or unknown)
    cycles, true = decision.cycles[judged], truth[judged]
    answered = np.isfinite(cycles) & (cycles > 0)
    error = np.where(answered, 100 * np.abs(np.where(answered, cycles, 0) / true - 1), 100.0)
    weight = instance.frequency[judged]
    weight = weight if weight.sum() > 0 else np.ones(len(judged))
    metrics = {
        "mape": float(error.mean()),
        "median_ape": float(np.median(error)),
        "kendall_tau": _tau(np.where(answered, cycles, 0.0), true),
        "within_10": 100 * float((error <= 10).mean()),
        "answered": 100 * float(answered.mean()),
        "weighted_mape": float((error * weight).sum() / weight.sum()),
    }
    if decision.low is not None and decision.high is not None and answered.any():
        low, high = (bound[judged][answered] for bound in (decision.low, decision.high))
        metrics["coverage"] = 100 * float(((low <= true[answered]) & (true[answered] <= high)).mean())
        metrics["interval_width"] = float(np.median(high / np.maximum(low, 1e-12)))
    content, length = kinds(instance)
    for names, of in ((CONTENTS, content[judged]), (LENGTHS, length[judged])):
        for number, name in enumerate(names):
            chosen = error[of == number]
            metrics[f"mape_{name}"] = float(chosen.mean()) if len(chosen) else metrics["mape"]
    return Outcome(metrics)


def kinds(instance: BlockSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each block its number in `CONTENTS` and in `LENGTHS`.

    A block that pushes or pops is *stack*; else one that both loads and stores is
    *load_store*; else one with a vector register is *vector*; else it is *scalar*.
    """
    from .decode import decode, records

    decoded = decode(instance.blocks)
    rows = decoded.records[decoded.row]
    start = decoded.first
    stack = _any((rows[:, records.FLAGS] & (records.PUSH | records.POP)) != 0, start)
    loads, stores = (_any(rows[:, side + records.WIDTH] > 0, start) for side in (records.LOAD, records.STORE))
    vector = _any(rows[:, records.VECTOR] > 0, start)
    content = np.select(
        [stack, loads & stores, vector], [CONTENTS.index(name) for name in _ORDER], CONTENTS.index("scalar")
    )
    sizes = np.diff(start)
    return content.astype(np.int64), np.where(sizes <= _SHORT, 0, np.where(sizes <= _MEDIUM, 1, 2)).astype(np.int64)


_ORDER: Final = ("stack", "load_store", "vector")


def _any(of_instructions: NDArray[np.bool_], start: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether it is so of any instruction of each block."""
    hits = np.concatenate(([0], np.cumsum(of_instructions)))
    return np.asarray(hits[start[1:]] > hits[start[:-1]])


def _misfit(instance: BlockSet, decision: Prediction) -> str:
    for name in ("cycles", "low", "high"):
        values = getattr(decision, name)
        if values is not None and np.shape(values) != (len(instance),):
            return f"field {name!r} has the shape {np.shape(values)}, not one value for each of {len(instance)} blocks"
    return ""


def _tau(predicted: Floats, true: Floats) -> float:
    """Kendall's tau-b; 0 where all predictions are equal."""
    from scipy.stats import kendalltau

    found: Any = kendalltau(predicted, true)
    value = float(found.statistic)
    return value if np.isfinite(value) else 0.0
