# SPDX-License-Identifier: Apache-2.0
"""Training of the calibrated solver: the simulator's parameters, then trees on what is left, then the interval."""

from __future__ import annotations

import logging
import math
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import UsageError
from trimtab.core.extras import need
from trimtab.core.fingerprint import fingerprints
from trimtab.core.task import Task

from ..baselines.forest import Forest
from ..decode import Decoded, decode
from ..problem import BlockSet, Floats, Notion, Prediction
from ..simulator import columns as P
from ..simulator.many import run_many
from ..workload import truth
from ..workload.skeleton import hashes
from .calibrated import NAME, Calibrated, Core
from .features import BUDGET, LEAST, features
from .fitting import fit
from .trees import Trees

_LOG: Final = logging.getLogger("trimtab")
Ints = NDArray[np.int64]

SECONDS: Final = 240.0  # of training, where no budget says less
CUT: Final = 1.5  # log residuals beyond this are cut off
COVERED: Final = 0.91  # of held-out training blocks: other applications are a little harder
_FOLDS: Final = 5
_FLOOR: Final = 0.002  # log error that a measurement has itself


@dataclass(frozen=True)
class Growth:
    """How trees are grown."""

    rounds: int
    leaves: int
    rate: float
    objective: str
    least: int = 20


RESIDUAL: Final = Growth(500, 48, 0.08, "l1")
ROUGH: Final = Growth(250, 48, 0.12, "l1")
SPREAD: Final = Growth(80, 16, 0.08, "l2", 60)


def fit_model(
    blocks: Sequence[bytes],
    cycles: Floats,
    *,
    cpu: str,
    notion: Notion = "U",
    seed: int = 0,
    seconds: float = SECONDS,
) -> Calibrated:
    """A model of one CPU from blocks and what each was measured to take (core cycles per iteration).

    `seconds` is wall time, about. Raises `UsageError` where there is nothing to learn from.
    """
    started = time.process_time()
    core = fit_core(blocks, cycles, cpu=cpu, notion=notion, seed=seed, seconds=seconds)
    return Calibrated((core,), _card(seed, [(core, len(blocks))], time.process_time() - started))


def fit_core(
    blocks: Sequence[bytes], cycles: Floats, *, cpu: str, notion: Notion, seed: int, seconds: float,
) -> Core:  # fmt: skip
    """One CPU."""
    deadline = time.perf_counter() + seconds
    code = decode(blocks)
    usable = np.flatnonzero(~code.refused() & np.isfinite(cycles) & (cycles > 0))
    if len(usable) < 2:
        raise UsageError("no labelled blocks to train on")
    skeleton = fit(code, cycles, usable, seed=seed, seconds=0.45 * seconds)
    told = np.zeros((len(blocks), P.RUN))
    part = np.zeros((len(usable), P.RUN))
    run_many(
        usable, code.row, code.disp, code.imm, code.size, code.first, code.records,
        skeleton.params, skeleton.machine, BUDGET, part,
    )  # fmt: skip
    told[usable] = part
    table = features(code, told)[usable]
    target = np.log(cycles[usable] / np.maximum(part[:, P.CYCLES], LEAST)).clip(-CUT, CUT)
    spread, factor = _spread(code, usable, table, target, seed, deadline)
    residual = _grow(table, target, RESIDUAL, seed, deadline)
    return Core(cpu, notion, skeleton, residual, spread, factor)


def _spread(
    code: Decoded, usable: Ints, table: NDArray[np.float32], target: Floats, seed: int, deadline: float
) -> tuple[Forest, float]:
    """How far off the trees are on blocks that they have not seen, nor near-duplicates of them."""
    fold = (hashes(code.records, code.row, code.first)[usable] >> np.uint64(17)) % np.uint64(_FOLDS)
    held = fold == 0
    if held.sum() < 30 or (~held).sum() < 30:
        return Forest.constant(math.log(0.5)), 1.0
    left = deadline - time.perf_counter()
    rough = Trees(_grow(table[~held], target[~held], ROUGH, seed, time.perf_counter() + 0.35 * left))
    error = np.abs(target[held] - rough.predict(table[held])) + _FLOOR
    spread = _grow(table[held], np.log(error), SPREAD, seed, deadline)
    ratio = error / np.exp(Trees(spread).predict(table[held]))
    return spread, float(np.quantile(ratio, COVERED))


def _grow(table: NDArray[np.float32], target: Floats, how: Growth, seed: int, deadline: float) -> Forest:
    """Trees for a target, until the rounds or the time are over."""
    lightgbm = need("lightgbm", extra="throughput", purpose=f"training {NAME}")
    if len(table) < 2 * how.least:
        return Forest.constant(float(np.median(target)))
    options = {
        "objective": how.objective,
        "learning_rate": how.rate,
        "num_leaves": how.leaves,
        "min_data_in_leaf": how.least,
        "max_bin": 255,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": len(os.sched_getaffinity(0)),
        "deterministic": True,
        "seed": seed,
        "verbose": -1,
    }

    def stop(progress: Any) -> None:
        if time.perf_counter() > deadline:
            raise lightgbm.callback.EarlyStopException(progress.iteration, [])

    data = lightgbm.Dataset(table, target, free_raw_data=True)
    booster = lightgbm.train(options, data, how.rounds, callbacks=[stop])
    _LOG.info("trees: %d on %d blocks", booster.num_trees(), len(table))
    return Forest.of(booster)


@dataclass(frozen=True)
class CalibratedLearner:
    """Trains `Calibrated`: one core for each CPU and notion among the tasks."""

    seconds: float = SECONDS  # in all, where the tasks' budget has no less

    def fit(self, tasks: Sequence[Task[BlockSet, Prediction]]) -> Calibrated:
        started, seed = time.process_time(), tasks[0].seed
        seconds = min(self.seconds, *(task.remaining.seconds for task in tasks))
        targets: dict[tuple[str, Notion], list[BlockSet]] = {}
        for task in tasks:
            targets.setdefault((task.instance.cpu, task.instance.notion), []).append(task.instance)
        total = sum(len(task.instance) for task in tasks)
        cores: list[tuple[Core, int]] = []
        for (cpu, notion), sets in sorted(targets.items(), key=lambda item: -sum(map(len, item[1]))):
            blocks = [block for one in sets for block in one.blocks]
            cycles = np.concatenate([truth(one) for one in sets])
            share = seconds * len(blocks) / total
            core = fit_core(blocks, cycles, cpu=cpu, notion=notion, seed=seed, seconds=share)
            cores.append((core, len(blocks)))
        card = _card(seed, cores, time.process_time() - started)
        card["trained_on"] = sorted(fingerprints({str(at): task.instance for at, task in enumerate(tasks)}).values())
        return Calibrated(tuple(core for core, _ in cores), card)


def _card(seed: int, cores: Sequence[tuple[Core, int]], cpu_s: float) -> dict[str, Any]:
    return {
        "solver": NAME,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seed": seed,
        "blocks": {f"{core.cpu} {core.notion}": count for core, count in cores},
        "cpu_s": round(cpu_s, 3),
    }
