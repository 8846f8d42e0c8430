# SPDX-License-Identifier: Apache-2.0
"""DQ (Krishnan, Yang, Goldberg, Hellerstein and Stoica 2018): a Q network learnt from dynamic programming.

As in the paper, the decision process contracts the join graph, the labels are
the optimal costs that dynamic programming leaves behind, and planning follows
the network greedily. Unlike there, actions are described by row counts and the
shape of the graph instead of one-hot attributes of one schema, so one network
serves every schema, cost model and size; and states are also drawn by the
network's own plans (DAgger, Ross et al. 2011), since greedy errors lead to
states that no optimal plan has.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights

from ..baselines import linear, ready, tree
from ..problem import COST_MODELS, Floats, JoinPlan, JoinQuery
from ..simulator.greedy import LEAST_ROWS, contract
from ..simulator.models import parameters
from ..simulator.pack import Graph, pack
from . import dq_states
from .dq_states import HIDDEN, WIDTH

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "dq.safetensors"

SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "0.weight": (WIDTH, HIDDEN), "0.bias": (HIDDEN,),
    "1.weight": (HIDDEN, HIDDEN), "1.bias": (HIDDEN,),
    "2.weight": (HIDDEN, 1), "2.bias": (1,),
}  # fmt: skip


class DQ(CardedWeights):
    """The network's greedy plan. Without arguments it has the weights that trimtab ships.

    With `polish`, that many steps of annealing at low temperature start from the
    best of its plan, greedy operator ordering's and LinDP's: for queries that no
    exact method reaches.
    """

    track = "policy"

    def __init__(
        self,
        weights: Mapping[str, NDArray[np.float32]] | None = None,
        card: Mapping[str, Any] | None = None,
        polish: int = 0,
    ) -> None:
        if weights is None:
            weights, card = load_weights(SHIPPED, SHAPES)
        self.weights, self.card, self.polish = weights, dict(card or {}), polish
        self._flat: Floats = np.concatenate([weights[name].ravel() for name in SHAPES]).astype(np.float64)

    @classmethod
    def load(cls, path: Path) -> DQ:
        """Raises `DataError` where the file does not hold DQ's weights."""
        return cls(*load_weights(path, SHAPES))

    @property
    def config(self) -> dict[str, Any]:
        return {"polish": self.polish}

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        graph, model = ready(task.instance)
        p = parameters(model)
        joins = dq_states.decode(graph, model, p, self._flat)
        if self.polish and task.instance.num_relations > 2:
            joins = _polished(graph, model, p, joins, self.polish, task.seed % (1 << 31))
        return JoinPlan(joins)


def _polished(graph: Graph, model: int, p: Floats, joins: Any, steps: int, seed: int) -> Any:
    starts = [joins, contract(graph, model, p, LEAST_ROWS)]
    if not np.isnan(graph.base_log).any():
        starts.append(linear.linear_dp(graph, model, p, linear.ikkbz(graph)))
    costs = [tree.anneal(graph, model, p, start, 0, 1.0, 1.0, seed)[1] for start in starts]
    best = starts[int(np.argmin(costs))]
    return tree.anneal(graph, model, p, best, steps, 0.1, 0.001, seed)[0]


@dataclass(frozen=True)
class Settings:
    """How the network is trained."""

    rounds: int = 4  # of walking with the present network and learning from all walks so far
    walks: int = 3  # of each query and cost model in a round
    wander: float = 0.3  # probability of another action than the network's
    epochs: int = 12  # over all lessons, in each round
    batch: int = 512
    rate: float = 3e-3  # of Adam, falling to a tenth in each round
    clip: float = 2.0  # regrets above are all equally bad
    temperature: float = 0.05  # of the softmin
    square: float = 0.2  # weight of the squared error
    lessons: int = 100_000  # at most, in a round


@dataclass(frozen=True)
class DQLearner:
    """Trains the network on queries under `models` (the query's own where empty), by their true row counts."""

    settings: Settings = Settings()
    models: tuple[str, ...] = COST_MODELS

    def fit(self, tasks: Sequence[Task[JoinQuery, JoinPlan]]) -> DQ:
        from .dq_training import train

        if not tasks:
            raise UsageError("dq: no instances to train on")
        clock = time.process_time()
        graphs = _graphs([task.instance for task in tasks], self.models)
        limit = min(task.remaining.seconds for task in tasks)
        weights, regret = train(graphs, self.settings, tasks[0].seed, limit)
        card = {
            "solver": "dq",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "settings": asdict(self.settings),
            "models": list(self.models),
            "seed": tasks[0].seed,
            "cpu_s": round(time.process_time() - clock, 1),
            "regret": round(regret, 5),
            "trained_on": sorted({fingerprint(task.instance) for task in tasks}),
        }
        return DQ(weights, card)


def _graphs(queries: Sequence[JoinQuery], models: Sequence[str]) -> list[tuple[Graph, int]]:
    """Under every cost model that a query's row counts allow."""
    found: list[tuple[Graph, int]] = []
    for query in queries:
        graph = pack(query, True)
        known = not np.isnan(graph.base_log).any()
        asked = [name for name in models or (query.cost_model,) if name == "c_out" or known]
        found += [(graph, COST_MODELS.index(name)) for name in asked if query.num_relations > 2]
    if not found:
        raise UsageError("dq: no query of three relations or more whose single relations' rows are known")
    return found
