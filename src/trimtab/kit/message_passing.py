# SPDX-License-Identifier: Apache-2.0
"""Message passing on batches of graphs in plain torch: `index_add_`, no graph library.

A batch of graphs is one disjoint graph. `of` arrays say which segment (job,
decision, ...) a row belongs to.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.core.extras import need

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = need("torch", extra="learn", purpose="training a graph network")
    nn = torch.nn


def perceptron(sizes: Sequence[int], *, slope: float = 0.2, activate_last: bool) -> nn.Sequential:
    """Linear layers with leaky ReLUs between them (and after the last, if asked)."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LeakyReLU(slope)]
    return nn.Sequential(*(layers if activate_last else layers[:-1]))


def segment_sum(values: Tensor, of: Tensor, segments: int) -> Tensor:
    """Sum of the rows of each segment.  (rows, ...), (rows,) -> (segments, ...)"""
    total = values.new_zeros((segments, *values.shape[1:]))
    return total.index_add_(0, of, values)


def segment_log_sum_exp(logits: Tensor, of: Tensor, segments: int) -> Tensor:
    """log of the sum of exp over each segment; none may be empty.  (rows,), (rows,) -> (segments,)"""
    highest = _segment_max(logits, of, segments)
    return segment_sum((logits - highest[of]).exp(), of, segments).log() + highest


def segment_log_softmax(logits: Tensor, of: Tensor, segments: int) -> Tensor:
    """Log-probabilities normalised within each segment.  (rows,), (rows,) -> (rows,)"""
    shifted = logits - _segment_max(logits, of, segments)[of]
    return shifted - segment_sum(shifted.exp(), of, segments).log()[of]


def _segment_max(logits: Tensor, of: Tensor, segments: int) -> Tensor:
    return logits.new_full((segments,), -torch.inf).scatter_reduce(0, of, logits.detach(), "amax")


class ChildrenToParents(nn.Module):
    """Embeds the nodes of DAGs from the leaves up: ``e_v = x_v + g(sum of f(e_c) over children c)``.

    The recursion of Decima's equation 1, with f and g perceptrons. It is run in
    order of `height` (longest path to a leaf) and stops at `max_depth`: a node
    higher than that keeps its own x_v.
    """

    def __init__(self, hidden: Sequence[int], width: int, *, max_depth: int) -> None:
        super().__init__()
        self.f = perceptron([width, *hidden, width], activate_last=True)
        self.g = perceptron([width, *hidden, width], activate_last=True)
        self.max_depth = max_depth

    def forward(self, x: Tensor, edges: Tensor, height: Tensor) -> Tensor:
        """`x` (nodes, width); `edges` (2, edges) child, parent; `height` (nodes,) -> (nodes, width)"""
        embedded = x
        top = min(self.max_depth, int(height.max()) if len(height) else 0)
        for level in range(1, top + 1):
            child, parent = edges[:, height[edges[1]] == level]
            rows, of = torch.unique(parent, return_inverse=True)
            messages = segment_sum(self.f(embedded[child]), of, len(rows))
            embedded = embedded.index_add(0, rows, self.g(messages))
        return embedded
