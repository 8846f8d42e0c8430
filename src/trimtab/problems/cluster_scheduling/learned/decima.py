# SPDX-License-Identifier: Apache-2.0
"""Decima (Mao et al., SIGCOMM 2019): a graph network that picks the stage and its job's parallelism limit.

`Decima` decides with trained weights, without torch; `DecimaLearner` trains them
(`decima_training.py`).
"""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import UsageError
from trimtab.core.fingerprint import fingerprints
from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights

from ..problem import Floats, JobStream
from ..simulator import CompiledPolicy, Decision
from ..simulator.decima import decima
from ..simulator.decima_net import PERCEPTRONS

if TYPE_CHECKING:
    from .decima_training import Progress, Settings

#: Trained on the training splits named in its card.
SHIPPED: Final = Path(__file__).parents[1] / "weights" / "decima.safetensors"

Arrays = Mapping[str, NDArray[np.float32]]


class Decima(CardedWeights):
    """The solver: the same network for every stream, taking the likeliest stage and limit.

    Without arguments it has the weights that trimtab ships. The card says how
    they were made; `trained_on` are the fingerprints of the instances.
    """

    track = "policy"
    deterministic = True

    def __init__(self, weights: Arrays | None = None, card: Mapping[str, Any] | None = None) -> None:
        if weights is None:
            weights, card = load_weights(SHIPPED, shapes())
        self.weights, self.card = weights, dict(card or {})
        self._policy = decima(flatten(weights))

    @classmethod
    def load(cls, path: Path) -> Decima:
        """Raises `DataError` where the file does not hold Decima's weights."""
        return cls(*load_weights(path, shapes()))

    @property
    def config(self) -> Mapping[str, Any]:
        return {"choice": "likeliest"}

    def solve(self, task: Task[JobStream, Decision]) -> CompiledPolicy:
        return self._policy


def _print(progress: Progress) -> None:
    print(progress, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class DecimaLearner:
    """Trains Decima on some streams; an eighth of them is held out to choose the best weights.

    `settings` None means `decima_training.Settings()`, cut short where a task's
    budget has fewer seconds; `start` is where to go on from. `report` is called
    with a line of progress now and then.
    """

    settings: Settings | None = None
    start: Decima | None = None
    report: Callable[[Progress], Any] = field(default=_print, compare=False)

    def fit(self, tasks: Sequence[Task[JobStream, Decision]]) -> Decima:
        from .decima_training import Settings, Training

        if not tasks:
            raise UsageError("decima: no instances to train on")
        settings = self.settings or Settings()
        start = None if self.start is None else flatten(self.start.weights)
        training = Training([task.instance for task in tasks], settings, tasks[0].seed, self.report, start)
        best = training.run(min(task.remaining.seconds for task in tasks))
        learnt = set(fingerprints({str(i): task.instance for i, task in enumerate(tasks)}).values())
        card = {
            "solver": "decima",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "settings": asdict(settings),
            "seed": tasks[0].seed,
            "cpu_s": round(training.cpu_s, 1),
            "iterations": training.log[-1].iteration,
            "held_out": {"decima_jct_s": min(p.average_jct for p in training.log), "srpt_jct_s": training.rule_jct},
            "start": None if self.start is None else {k: v for k, v in self.start.card.items() if k != "trained_on"},
            "trained_on": sorted(learnt | (self.start.trained_on if self.start else set())),
        }
        return Decima(unflatten(best), card)


def shapes() -> dict[str, tuple[int, ...]]:
    """Of the arrays in a weights file, in the order of the flat vector of `decima_net`."""
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in PERCEPTRONS.items():
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            found[f"{name}.{layer}.weight"] = (inputs, outputs)
            found[f"{name}.{layer}.bias"] = (outputs,)
    return found


def flatten(weights: Arrays) -> Floats:
    return np.concatenate([weights[name].ravel() for name in shapes()]).astype(np.float64)


def unflatten(flat: Floats) -> dict[str, NDArray[np.float32]]:
    return dict(_pieces(flat))


def _pieces(flat: Floats) -> Iterator[tuple[str, NDArray[np.float32]]]:
    at = 0
    for name, shape in shapes().items():
        size = int(np.prod(shape))
        yield name, flat[at : at + size].reshape(shape).astype(np.float32)
        at += size
