# SPDX-License-Identifier: Apache-2.0
"""`network.forward` in torch, to be differentiated; a test compares the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.core.extras import need
from trimtab.kit.message_passing import segment_sum

from .network import ROUNDS, SLOPE

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = need("torch", extra="learn", purpose="training a graph network")


def torch_forward(weights: Any, node: Tensor, edge: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(log-odds of sharing a device (edges,), start (ops,))"""

    def linear(name: str, x: Tensor) -> Tensor:
        made: Tensor = x @ weights[name] + weights[f"{name}_bias"]
        return made

    def leaky(x: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(x, SLOPE)

    def mean(rows: Tensor, of: Tensor) -> Tensor:
        count = torch.bincount(of, minlength=len(node)).clamp(min=1)[:, None]
        return segment_sum(rows, of, len(node)) / count

    h, e = leaky(linear("node", node)), leaky(linear("edge", edge))
    for r in range(ROUNDS):
        forth = mean(leaky(linear(f"forth{r}", h)[source] + e), target)
        back = mean(leaky(linear(f"back{r}", h)[target] + e), source)
        h = h + leaky(linear(f"own{r}", h) + linear(f"mix_forth{r}", forth) + linear(f"mix_back{r}", back))
    pair = leaky(linear("pair_source", h)[source] + linear("pair_target", h)[target] + e)
    return linear("together", pair)[:, 0], linear("start", leaky(linear("late", h)))[:, 0]
