# SPDX-License-Identifier: Apache-2.0
"""`experienced`: the portfolio, told what recorded programs with the same knobs took; and how it is trained."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights, read_card

from ..encoding import Encoding
from ..optimiser.history import Scale
from ..problem import Configuration, Target
from ..simulator.table import Table, plain
from .memory import SHIPPED, Memory, shapes
from .network import STRENGTHS, fit, left_out

_log = logging.getLogger("trimtab")


class Experienced(CardedWeights):
    """The portfolio with a memory. Without arguments it has the one that trimtab ships.

    What was learnt from a program is never used on that program, by name and by its
    table's digest.
    """

    track = "search"

    def __init__(
        self, weights: Mapping[str, NDArray[np.float32]] | None = None, card: Mapping[str, Any] | None = None
    ) -> None:
        if weights is None or card is None:
            weights, card = load_weights(SHIPPED, shapes(read_card(SHIPPED), SHIPPED))
        self.weights, self.card = weights, dict(card)
        self.memory = Memory.of(weights, card)

    @classmethod
    def load(cls, path: Path) -> Experienced:
        """Raises `DataError` where the file does not hold recorded programs."""
        return cls(*load_weights(path, shapes(read_card(path), path)))

    def solve(self, task: Task[Target, Configuration]) -> Configuration:
        from ..solvers import Searcher

        return Searcher("experienced", memory=self.memory).solve(task)


class ExperienceLearner:
    """One small network a program, from the table of its target."""

    def fit(self, tasks: Sequence[Task[Target, Configuration]]) -> Experienced:
        clock = time.process_time()
        weights: dict[str, NDArray[np.float32]] = {}
        programs: dict[str, Any] = {}
        for task in tasks:
            replay = task.instance.replay
            if replay is None:
                raise UsageError(f"{task.instance.name}: experience is learnt from tables, and it has none")
            name = task.instance.name.removeprefix("java-")
            _log.info("experienced: %s", name)
            arrays, programs[name] = record(replay.table, task.seed)
            weights |= {f"{name}.{part}": array for part, array in arrays.items()}
        if not programs:
            raise UsageError("experienced: no tables to learn from")
        card = {
            "solver": "experienced",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "seed": tasks[0].seed,
            "cpu_s": round(time.process_time() - clock, 1),
            "programs": programs,
            "trained_on": sorted({fingerprint(task.instance) for task in tasks}),
        }
        return Experienced(weights, card)


def record(table: Table, seed: int) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """The network of a table's losses, and what its card says of it."""
    encoding = Encoding(table.space)
    rows = [(table.values(row), row.l) for row in table.rows if row.l is not None]
    loss = np.array([x for _, x in rows])
    codes, place = np.unique(encoding.encode([values for values, _ in rows]), axis=0, return_inverse=True)
    runs = np.bincount(place.ravel()).astype(np.float64)
    y = np.bincount(place.ravel(), Scale.of(loss)(loss)) / runs
    x = encoding.features(codes)
    wrong = {strength: float(((y - left_out(x, y, runs, seed, strength)) ** 2).sum()) for strength in STRENGTHS}
    strength = min(wrong, key=lambda s: wrong[s])
    r2 = 1.0 - wrong[strength] / float(((y - y.mean()) ** 2).sum())
    arrays = {part: array.astype(np.float32) for part, array in fit(x, y, runs, seed, strength).arrays().items()}
    about = {
        "digest": table.digest, "rows": len(loss), "penalty": strength, "r2_left_out": round(r2, 3),
        "space": plain(table.space),
    }  # fmt: skip
    return arrays, about
