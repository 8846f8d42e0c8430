# SPDX-License-Identifier: Apache-2.0
"""What the trained baselines share: examples from tasks, a card, weights by vocabulary and CPU."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError, Unavailable, UsageError
from trimtab.core.fingerprint import fingerprints
from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights, read_card

from ..problem import BlockSet, Floats, Prediction
from ..workload import truth
from .instructions import Instruction, decode
from .ragged import Ints
from .tokens import UNKNOWN

Arrays = Mapping[str, NDArray[np.float32]]
Blocks = Sequence[Sequence[Instruction]]

MOST_WORDS: Final = 4096
MOST_TARGETS: Final = 32
_REMEMBERED: Final = 32  # instances
_HELD_OUT: Final = 0.05  # of the examples, for the card


def target_of(instance: BlockSet) -> str:
    """What a model is trained for: a CPU, and a notion of throughput."""
    return f"{instance.cpu} {instance.notion}"


@dataclass(frozen=True, eq=False)
class Examples:
    """Blocks that have a label."""

    code: tuple[bytes, ...]
    blocks: Blocks
    cycles: Floats  # (blocks,)
    target: Ints  # (blocks,) index into targets
    targets: tuple[str, ...]

    def take(self, rows: Ints) -> Examples:
        chosen = rows.tolist()
        return Examples(
            tuple(self.code[at] for at in chosen),
            [self.blocks[at] for at in chosen],
            self.cycles[rows],
            self.target[rows],
            self.targets,
        )


def examples(tasks: Sequence[Task[BlockSet, Prediction]]) -> Examples:
    """The blocks of some tasks' instances, with their truth where there is one."""
    targets = tuple(sorted({target_of(task.instance) for task in tasks}))
    code: list[bytes] = []
    cycles, target = [], []
    for task in tasks:
        labels = truth(task.instance)
        kept = np.flatnonzero(np.isfinite(labels) & (labels > 0))
        code += [task.instance.blocks[at] for at in kept]
        cycles.append(labels[kept])
        target.append(np.full(len(kept), targets.index(target_of(task.instance))))
    if not code:
        raise UsageError("no labelled blocks to train on")
    return Examples(tuple(code), decode(code), np.concatenate(cycles), np.concatenate(target), targets)


@dataclass(frozen=True, eq=False)
class Trained(CardedWeights):
    """A trained baseline: arrays whose shapes follow from its card. Each kind says how it predicts."""

    weights: Arrays
    card: Mapping[str, Any]
    _answered: dict[tuple[int, tuple[bytes, ...]], Floats] = field(default_factory=dict, repr=False)
    track = "policy"
    deterministic = True

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises `DataError` where the file does not hold this solver's weights."""
        card = read_card(path)
        if card.get("solver") not in cls.kinds():
            raise DataError(f"weights file {path}: of the solver {card.get('solver')!r}, not of {cls.kinds()[0]}")
        _check_names(path, "words", card.get("words"), MOST_WORDS)
        _check_names(path, "targets", card.get("targets"), MOST_TARGETS)
        return cls(*load_weights(path, cls.shapes(card)))

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """The names of the solvers whose weights it can be."""
        raise NotImplementedError

    @classmethod
    def shapes(cls, card: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Of the arrays. Raises `DataError` where the card has not what they depend on."""
        raise NotImplementedError

    def predict(self, code: Sequence[bytes], blocks: Blocks, target: int) -> Floats:
        """Cycles per iteration.  (blocks,)"""
        raise NotImplementedError

    @property
    def config(self) -> Mapping[str, Any]:
        return {"solver": self.card["solver"]}

    @cached_property
    def words(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.card["words"])}

    def solve(self, task: Task[BlockSet, Prediction]) -> Prediction:
        """Raises `Unavailable` for a CPU or a notion that it was not trained for."""
        targets, wanted = list(self.card["targets"]), target_of(task.instance)
        if wanted not in targets:
            name = self.card["solver"]
            raise Unavailable(
                f"{name} was trained for {', '.join(targets)}, not for {wanted}.  "
                f"trimtab train block_throughput --solver {name}"
            )
        blocks = task.instance.blocks
        key = targets.index(wanted), blocks
        if key not in self._answered:  # no answer depends on a seed, and a study asks for several
            if len(self._answered) >= _REMEMBERED:
                self._answered.clear()
            self._answered[key] = self.predict(blocks, decode(blocks), key[0])
        return Prediction(self._answered[key].copy())


def integer(card: Mapping[str, Any], name: str, most: int) -> int:
    """A size in a card. Raises `DataError` where it is none."""
    value = card.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise DataError(f"the card's field {name!r} is {value!r}, not a number from 1 to {most}")
    return value


def training(
    name: str,
    tasks: Sequence[Task[BlockSet, Prediction]],
    fit: Callable[[Examples, float], Trained],
    settings: Mapping[str, Any],
) -> Trained:
    """Train on most of the tasks' blocks, judge on the rest, and write the card.

    `fit` is given examples and the seconds that the budgets leave; the card of what
    it returns holds what the shapes depend on, and is completed here.
    """
    started = time.process_time()
    everything = examples(tasks)
    seed = tasks[0].seed
    order = np.random.default_rng(seed).permutation(len(everything.cycles))
    held = order[: int(_HELD_OUT * len(order))]
    model = fit(everything.take(order[len(held) :]), min(task.remaining.seconds for task in tasks))
    card = {
        "solver": name,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "settings": dict(settings),
        "seed": seed,
        "examples": len(order) - len(held),
        "held_out": _judged(model, everything.take(held)),
        "trained_on": sorted(set(fingerprints({str(i): task.instance for i, task in enumerate(tasks)}).values())),
        **model.card,
        "cpu_s": round(time.process_time() - started, 3),
    }
    return type(model)(model.weights, card)


def _judged(model: Trained, held: Examples) -> dict[str, float]:
    """Relative errors on blocks held out at random: lower than on other applications."""
    if not len(held.cycles):
        return {}
    predicted = np.empty(len(held.cycles))
    for at in range(len(held.targets)):
        rows = np.flatnonzero(held.target == at)
        part = held.take(rows)
        predicted[rows] = model.predict(part.code, part.blocks, at)
    error = np.abs(predicted / held.cycles - 1)
    return {
        "blocks": len(error),
        "mape": round(100 * float(error.mean()), 2),
        "median_ape": round(100 * float(np.median(error)), 2),
    }


def _check_names(path: Path, field: str, names: Any, most: int) -> None:
    fine = isinstance(names, list) and 1 <= len(names) <= most and all(isinstance(name, str) for name in names)
    if not fine or (field == "words" and names[0] != UNKNOWN):
        raise DataError(f"weights file {path}: its card's field {field!r} is not a list of names")
