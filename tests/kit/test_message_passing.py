# SPDX-License-Identifier: Apache-2.0
"""Message passing against its recursion, written out node by node."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from trimtab.kit.message_passing import (
    ChildrenToParents,
    perceptron,
    segment_log_softmax,
    segment_log_sum_exp,
    segment_sum,
)

#: child -> parent; heights 0 0 1 2 2 3, and a node alone
EDGES = [(0, 2), (1, 2), (2, 3), (0, 4), (2, 4), (3, 5), (4, 5)]
HEIGHT = [0, 0, 1, 2, 2, 3, 0]


def recursion(net: ChildrenToParents, x: torch.Tensor, max_depth: int) -> torch.Tensor:
    def embed(v: int) -> torch.Tensor:
        children = [c for c, parent in EDGES if parent == v]
        if not children or HEIGHT[v] > max_depth:
            return x[v]
        return x[v] + net.g(torch.stack([net.f(embed(c)) for c in children]).sum(0))

    return torch.stack([embed(v) for v in range(len(HEIGHT))])


@pytest.mark.parametrize("max_depth", [0, 1, 2, 8])
def test_children_to_parents_is_the_recursion_of_equation_1(max_depth: int) -> None:
    torch.manual_seed(0)
    net = ChildrenToParents([5], 4, max_depth=max_depth)
    x = torch.randn(len(HEIGHT), 4)
    found = net(x, torch.tensor(EDGES).T, torch.tensor(HEIGHT))
    torch.testing.assert_close(found, recursion(net, x, max_depth))


def test_graphs_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    net = ChildrenToParents([5], 4, max_depth=8)
    x, edges, height = torch.randn(14, 4), torch.tensor(EDGES).T, torch.tensor(HEIGHT)
    both = net(x, torch.cat([edges, edges + 7], 1), torch.cat([height, height]))
    torch.testing.assert_close(both[:7], net(x[:7], edges, height))
    torch.testing.assert_close(both[7:], net(x[7:], edges, height))


def test_no_nodes_and_no_edges() -> None:
    net = ChildrenToParents([5], 4, max_depth=8)
    nothing = torch.zeros(2, 0, dtype=torch.long)
    assert net(torch.zeros(0, 4), nothing, torch.zeros(0, dtype=torch.long)).shape == (0, 4)
    x = torch.randn(3, 4)
    torch.testing.assert_close(net(x, nothing, torch.zeros(3, dtype=torch.long)), x)


def test_segments() -> None:
    values, of = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2, 0, 2])
    assert segment_sum(values, of, 3).tolist() == [2.0, 0.0, 5.0]
    logits = torch.tensor([1e4, -3.0, 1e4 - 1, -3.0])
    found = segment_log_softmax(logits, torch.tensor([0, 1, 0, 1]), 2)
    expected = torch.stack([torch.log_softmax(logits[[0, 2]], 0), torch.log_softmax(logits[[1, 3]], 0)], 1).ravel()
    torch.testing.assert_close(found, expected)


def test_log_sum_exp_leaves_out_what_is_masked() -> None:
    logits = torch.tensor([0.0, 5.0, -torch.inf, 2.0], requires_grad=True)
    found = segment_log_sum_exp(logits, torch.tensor([0, 1, 1, 0]), 2)
    torch.testing.assert_close(found, torch.tensor([np.log(1 + np.exp(2)), 5.0], dtype=torch.float32))
    found.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_a_perceptron_ends_as_asked() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 3)
    raw, active = (perceptron([3, 4, 2], activate_last=last) for last in (False, True))
    active.load_state_dict(raw.state_dict())
    torch.testing.assert_close(active(x), torch.nn.functional.leaky_relu(raw(x), 0.2))
