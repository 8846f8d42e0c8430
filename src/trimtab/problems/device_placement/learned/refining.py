# SPDX-License-Identifier: Apache-2.0
"""Policy gradient on what is decoded: beliefs and starts are shaken, and what shortened the simulated step is kept.

The policy is Gaussian around the network's log-odds and starts; its gradient is
REINFORCE's (Williams 1992) with the mean of the draws on the same graph as baseline.
Imitation learns what good placements look like; this learns what the decoder makes
good placements of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trimtab.core.extras import need

from ..baselines.common import prepare
from ..problem import Floats, PlacementInstance
from .decode import outcomes
from .features import Features, features
from .torch_network import torch_forward

if TYPE_CHECKING:
    import torch
else:
    torch = need("torch", extra="learn", purpose="training a graph network")

DRAWS: Final = 12  # of a graph, in a step
GRAPHS: Final = 6  # in a step
SHAKE_TIE: Final = 1.0  # of log-odds
SHAKE_START: Final = 0.05  # of the step
RATE: Final = 1e-3
LEG: Final = 250  # steps


def refine(
    weights: Any, instances: Sequence[PlacementInstance], steps: int, seed: int, look: Callable[[Any], None]
) -> None:
    """Change torch parameters in place; `look` sees them every `LEG` steps."""
    rng = np.random.default_rng(seed)
    known = [features(instance) for instance in instances]
    optimiser = torch.optim.Adam(weights.values(), lr=RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / steps)
        chosen = rng.choice(len(instances), min(GRAPHS, len(instances)), replace=False)
        loss: Any = sum(_surrogate(weights, instances[at], known[at], rng) for at in chosen)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimiser.step()
        if (step + 1) % LEG == 0:
            look(weights)


def _surrogate(weights: Any, instance: PlacementInstance, f: Features, rng: np.random.Generator) -> Any:
    """What has the gradient of the expected logarithm of the step time."""
    node, edge = torch.from_numpy(f.node.astype(np.float32)), torch.from_numpy(f.edge.astype(np.float32))
    together, start = torch_forward(weights, node, edge, torch.from_numpy(f.source), torch.from_numpy(f.target))
    push_tie, push_start = directions(instance, f, _array(together), _array(start), rng)
    return -(together * torch.from_numpy(push_tie)).sum() - (start * torch.from_numpy(push_start)).sum()


def directions(
    instance: PlacementInstance, f: Features, together: Floats, start: Floats, rng: np.random.Generator
) -> tuple[Any, Any]:
    """Where log-odds (edges,) and starts (ops,) should go: draws, each by how much better than the mean it did."""
    ready = prepare(instance)
    shaken_tie = rng.standard_normal((DRAWS, len(together)))
    shaken_start = rng.standard_normal((DRAWS, len(start)))
    belief = 1.0 / (1.0 + np.exp(-(together + SHAKE_TIE * shaken_tie)))
    values = outcomes(
        ready.packed,
        ready.unit,
        ready.unit_bytes,
        ready.unit_workspace,
        ready.unit_cost,
        -(start + SHAKE_START * shaken_start),
        f.seconds * belief,
        instance.topology.queue == "priority",
    )
    gain = -np.log(np.maximum(values, 1e-300))
    gain -= gain.mean()
    gain /= max(float(gain.std()), 1e-3)
    return (
        (gain @ shaken_tie / (DRAWS * SHAKE_TIE)).astype(np.float32),
        (gain @ shaken_start / (DRAWS * SHAKE_START)).astype(np.float32),
    )


def _array(x: Any) -> Floats:
    return np.asarray(x.detach().numpy(), np.float64)
