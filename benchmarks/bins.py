# SPDX-License-Identifier: Apache-2.0
"""A problem that costs nothing: what a study of it takes is the study's own. Solvers do as TRIMTAB_BENCH_* says."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.core.outcome import Outcome
from trimtab.core.problem import Metric, Problem
from trimtab.core.task import Task


def instances(split: str) -> Mapping[str, int]:
    return {f"i{n:04d}": n for n in range(int(os.environ.get("TRIMTAB_BENCH_INSTANCES", "100")))}


class Distance:
    def evaluate(self, instance: int, decision: int, *, seed: int) -> Outcome:
        return Outcome({"distance": 1 + abs(instance - decision) + seed % 97 / 97})


class Guess:
    """Writes a line to TRIMTAB_BENCH_LOG when it starts, and sleeps for TRIMTAB_BENCH_SLEEP seconds."""

    def __init__(self, name: str, offset: int) -> None:
        self.config = {"offset": offset}
        self._name, self._offset = name, offset
        self._pause = float(os.environ.get("TRIMTAB_BENCH_SLEEP", "0"))
        self._log = os.environ.get("TRIMTAB_BENCH_LOG", "")

    def solve(self, task: Task[int, int]) -> int:
        if self._log:
            with Path(self._log).open("a") as log:
                log.write(f"{task.instance} {self._name} {task.seed}\n")
        if self._pause:
            time.sleep(self._pause)
        return task.instance + self._offset


class Matrix:
    """Something for BLAS to do, whose last digits depend on the number of its threads."""

    def solve(self, task: Task[int, int]) -> int:
        a = task.rng.standard_normal((160, 160))
        return int(1e9 * np.linalg.svd(a @ a.T, compute_uv=False)[0]) % 1009


PROBLEM: Problem[Any, Any] = Problem(
    name="bench_bins",
    metrics=(Metric("distance", "1"),),
    instances=instances,
    backends={"simulator": Distance},
    solvers={
        "exact": partial(Guess, "exact", 0),
        "one": partial(Guess, "one", 1),
        "two": partial(Guess, "two", 2),
        "matrix": Matrix,
    },
)
