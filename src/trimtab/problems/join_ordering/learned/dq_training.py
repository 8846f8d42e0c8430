# SPDX-License-Identifier: Apache-2.0
"""Training of DQ's network (needs torch)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need

from ..problem import Floats
from ..simulator.models import parameters
from ..simulator.pack import Graph
from . import dq_states
from .dq_states import HIDDEN, WIDTH

if TYPE_CHECKING:
    from .dq import Settings

_log = logging.getLogger("trimtab")


def train(
    graphs: Sequence[tuple[Graph, int]], settings: Settings, seed: int, seconds: float
) -> tuple[Mapping[str, NDArray[np.float32]], float]:
    """Weights by name, and the mean regret of greedy actions in the last epoch. Stops after a round when time is up."""
    torch: Any = need("torch", extra="learn", purpose="training dq")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(WIDTH, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, 1),
    )  # fmt: skip
    began, error = time.perf_counter(), float("nan")
    known = Lessons.none()
    for round_ in range(settings.rounds):
        wander = 1.0 if round_ == 0 else settings.wander  # there is no network to follow yet
        known = known.and_then(walk(graphs, flatten(network), settings, wander, rng))
        error = _learn(torch, network, known, settings, rng)
        _log.info("dq: round %d, %d lessons, regret %.4f", round_ + 1, len(known.regret), error)
        if time.perf_counter() - began > seconds:
            break
    return _by_name(network), error


class Lessons(NamedTuple):
    """Actions, those of a state in a row."""

    features: NDArray[np.float32]  # (actions, WIDTH)
    regret: NDArray[np.float32]  # (actions,)
    first: NDArray[np.int64]  # (states + 1,) where the actions of a state begin

    @classmethod
    def none(cls) -> Lessons:
        return cls(np.zeros((0, WIDTH), np.float32), np.zeros(0, np.float32), np.zeros(1, np.int64))

    def and_then(self, more: Lessons) -> Lessons:
        return Lessons(
            np.concatenate([self.features, more.features]),
            np.concatenate([self.regret, more.regret]),
            np.concatenate([self.first, more.first[1:] + self.first[-1]]),
        )


def walk(
    graphs: Sequence[tuple[Graph, int]], weights: Floats, settings: Settings, wander: float, rng: np.random.Generator
) -> Lessons:
    """Lessons of `settings.walks` walks through each query, in random order."""
    x, y, state = np.zeros((settings.lessons, WIDTH)), np.zeros(settings.lessons), np.zeros(settings.lessons, np.int64)
    count = 0
    firsts = [0]
    for index in rng.permutation(np.repeat(np.arange(len(graphs)), settings.walks)):
        graph, model = graphs[index]
        seed, p = int(rng.integers(1 << 31)), parameters(model)
        new = int(dq_states.lessons(graph, model, p, weights, wander, seed, x[count:], y[count:], state[count:]))
        ends = np.flatnonzero(np.diff(state[count : count + new])) + 1 if new else np.zeros(0, np.int64)
        firsts += [*(ends + count).tolist(), count + new] if new else []
        count += new
    regret = np.minimum(y[:count], settings.clip).astype(np.float32)
    return Lessons(x[:count].astype(np.float32), regret, np.array(firsts, np.int64))


def _learn(torch: Any, network: Any, known: Lessons, settings: Settings, rng: np.random.Generator) -> float:
    """Q as a preference: the network's softmin over a state's actions is to have little regret.

    A part of the loss is the squared error of Q itself. Returns the mean regret of the
    greedy actions in the last epoch.
    """
    inputs, wanted = torch.from_numpy(known.features), torch.from_numpy(known.regret)
    sizes = np.diff(known.first)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.rate)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / settings.epochs))
    states = max(1, settings.batch * len(sizes) // max(1, len(known.regret)))  # in a batch
    total = 0.0
    for _ in range(settings.epochs):
        total = 0.0
        for part in np.array_split(rng.permutation(len(sizes)), max(1, len(sizes) // states)):
            length = sizes[part]
            owner = np.repeat(np.arange(len(part)), length)
            within = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
            chosen = torch.from_numpy(np.repeat(known.first[part], length) + within)
            loss, regret = _loss(torch, network(inputs[chosen])[:, 0], wanted[chosen], owner, len(part), settings)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += regret * len(part)
        decay.step()
    return total / len(sizes)


def _loss(
    torch: Any, q: Any, wanted: Any, owner: NDArray[np.int64], states: int, settings: Settings
) -> tuple[Any, float]:
    """Mean regret of the softmin over each state, with squared error; and the regret of the greedy actions."""
    index = torch.from_numpy(owner)
    least = torch.full((states,), float("inf")).scatter_reduce(0, index, q.detach(), "amin")
    weight = torch.exp((least[index] - q) / settings.temperature)
    share = weight / torch.zeros(states).index_add(0, index, weight)[index]
    expected = (share * wanted).sum() / states
    greedy = float(wanted[q.detach() <= least[index]].sum()) / states
    return expected + settings.square * ((q - wanted) ** 2).mean(), greedy


def flatten(network: Any) -> Floats:
    """As `dq_states.q_value` wants them: inputs by outputs, then biases, layer by layer."""
    return np.concatenate([array.ravel() for array in _by_name(network).values()]).astype(np.float64)


def _by_name(network: Any) -> dict[str, NDArray[np.float32]]:
    found = {}
    for place, layer in enumerate((network[0], network[2], network[4])):
        found[f"{place}.weight"] = layer.weight.detach().numpy().T.copy()
        found[f"{place}.bias"] = layer.bias.detach().numpy().copy()
    return found
