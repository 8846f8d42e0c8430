# SPDX-License-Identifier: Apache-2.0
"""The networks as solvers (NumPy, without torch) and as learners (torch)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from trimtab.core.task import Task

from ...baselines.graphs import words as graph_words
from ...baselines.tokens import instruction_tokens, vocabulary
from ...baselines.trained import Blocks, Examples, Trained, integer, training
from ...problem import BlockSet, Floats, Prediction
from . import granite, ithemal

if TYPE_CHECKING:
    from .training import Settings

Kind = Literal["ithemal", "granite"]
KINDS: Final[tuple[Kind, ...]] = ("ithemal", "granite")
SHIPPED: Final = Path(__file__).parents[2] / "weights"
_MOST_HIDDEN: Final = 1024
_LEAST: Final = 5  # occurrences of a word that the network knows


class Network(Trained):
    """The solver: one network, with a head for each CPU that it was trained for."""

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return KINDS

    @classmethod
    def shapes(cls, card: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        hidden = integer(card, "hidden", _MOST_HIDDEN)
        shapes = granite.shapes if card["solver"] == "granite" else ithemal.shapes
        return shapes(len(card["words"]), len(card["targets"]), hidden)

    def predict(self, code: Sequence[bytes], blocks: Blocks, target: int) -> Floats:
        predict = granite.predict if self.card["solver"] == "granite" else ithemal.predict
        return predict(self.weights, self.words, blocks, target)


def shipped(kind: Kind) -> Network:
    """The solver with the weights that trimtab ships."""
    return Network.load(SHIPPED / f"{kind}.safetensors")


@dataclass(frozen=True)
class NetworkLearner:
    """Trains a network on all CPUs of the tasks at once, for `settings.seconds` or what a budget leaves."""

    kind: Kind = "ithemal"
    settings: Settings | None = None

    def fit(self, tasks: Sequence[Task[BlockSet, Prediction]]) -> Trained:
        from .training import Settings

        settings = self.settings or Settings()

        def fit(seen: Examples, seconds: float) -> Trained:
            return self.model(seen, seconds, tasks[0].seed)

        plain = {name: value for name, value in asdict(settings).items() if np.isfinite(value)}
        return training(self.kind, tasks, fit, plain)

    def model(self, seen: Examples, seconds: float, seed: int) -> Trained:
        """Train on examples, for at most some CPU seconds."""
        from .training import Settings, begin, train

        settings = self.settings or Settings()
        settings = replace(settings, seconds=min(settings.seconds, seconds))
        words = vocabulary(texts(self.kind, seen.blocks), _LEAST)
        network = begin(self.kind, seen, words, settings, seed)
        progress = train(network, seen.cycles, settings, seed)
        arrays = {name: np.array(array) for name, array in network.arrays().items()}
        card = {
            "words": list(words),
            "targets": list(seen.targets),
            "hidden": settings.hidden,
            "epochs": round(progress.epochs, 2),
            "steps": progress.steps,
        }
        return Network(arrays, {"solver": self.kind, **card})


def texts(kind: Kind, blocks: Blocks) -> Iterator[Iterable[str]]:
    """The words of each block, as the kind of network reads them."""
    for block in blocks:
        if kind == "granite":
            yield graph_words(block)
        else:
            yield (token for one in block for token in instruction_tokens(one))
