# SPDX-License-Identifier: Apache-2.0
"""The networks in torch, for training. Their weights, by the same names, are what the NumPy versions take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need
from trimtab.kit.message_passing import segment_sum

from ...baselines.graphs import KINDS, Graphs
from ...baselines.ragged import Ints, Ragged
from ...baselines.tokens import Tokens
from .granite import ROUNDS

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = need("torch", extra="learn", purpose="training a network on blocks")
    nn = torch.nn


class Network(Protocol):
    """What `training.train` needs: predicted log cycles of some blocks of its corpus."""

    @property
    def sizes(self) -> Ints: ...  # (blocks,) how much work each block is

    def log_cycles(self, rows: Ints) -> Tensor: ...


class Lstm(nn.Module):
    """One layer, one bias; returns the hidden state after the last step of each row."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(inputs, hidden, batch_first=True)
        for name, parameter in self.cell.named_parameters():
            if name == "bias_hh_l0":  # the other bias does the same
                nn.init.zeros_(parameter)
                parameter.requires_grad_(False)

    def forward(self, padded: Tensor, lengths: Ints) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            padded, torch.as_tensor(lengths), batch_first=True, enforce_sorted=False
        )
        return self.cell(packed)[1][0][0]  # type: ignore[no-any-return]

    def arrays(self, name: str) -> dict[str, NDArray[np.float32]]:
        theirs = {"weight_ih_l0": "weight_ih", "weight_hh_l0": "weight_hh", "bias_ih_l0": "bias"}
        found = {f"{name}.{theirs[at]}": p for at, p in self.cell.named_parameters() if at in theirs}
        return {at: parameter.detach().numpy() for at, parameter in found.items()}


class Ithemal(nn.Module):
    """`ithemal.forward`, to be trained on blocks of `tokens`."""

    def __init__(self, words: int, hidden: int, tokens: Tokens, target: Ints) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, hidden)
        self.tokens, self.instructions = Lstm(hidden, hidden), Lstm(hidden, hidden)
        self.head = nn.Linear(hidden, int(target.max()) + 1)
        self._corpus, self._target = tokens, target
        self.sizes = np.add.reduceat(tokens.instructions.lengths[tokens.blocks.values], tokens.blocks.start[:-1])

    def log_cycles(self, rows: Ints) -> Tensor:
        blocks = self._corpus.blocks.take(rows)
        different, at = np.unique(blocks.values, return_inverse=True)
        words = self._corpus.instructions.take(different)
        read = self.tokens(self.embedding(torch.as_tensor(words.padded())), words.lengths)
        padded = read[torch.as_tensor(Ragged(at, blocks.start).padded())]
        return _chosen(self.head(self.instructions(padded, blocks.lengths)), self._target[rows])

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        return {
            "embedding": self.embedding.weight.detach().numpy(),
            **self.tokens.arrays("tokens"),
            **self.instructions.arrays("instructions"),
            "head.weight": self.head.weight.detach().numpy(),
            "head.bias": self.head.bias.detach().numpy(),
        }


class FlatLstm(nn.Module):
    """One LSTM over all tokens of a block: Ithemal without its hierarchy, for comparison."""

    def __init__(self, words: int, hidden: int, tokens: Ragged, target: Ints) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, hidden)
        self.tokens = Lstm(hidden, hidden)
        self.head = nn.Linear(hidden, int(target.max()) + 1)
        self.read(tokens, target)

    def read(self, tokens: Ragged, target: Ints) -> None:
        """Make these blocks the ones that `log_cycles` is asked of."""
        self._corpus, self._target, self.sizes = tokens, target, tokens.lengths

    def log_cycles(self, rows: Ints) -> Tensor:
        words = self._corpus.take(rows)
        read = self.tokens(self.embedding(torch.as_tensor(words.padded())), words.lengths)
        return _chosen(self.head(read), self._target[rows])


class Granite(nn.Module):
    """`granite.forward`, to be trained on blocks drawn as graphs."""

    def __init__(self, words: int, hidden: int, drawn: Graphs, target: Ints) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, hidden)
        self.kind = nn.Embedding(2 * len(KINDS), hidden)
        self.message = nn.Linear(hidden, hidden, bias=False)
        self.update = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, int(target.max()) + 1))
        self._corpus, self._target = drawn, target
        self.sizes = drawn.nodes.lengths + drawn.source.lengths

    def log_cycles(self, rows: Ints) -> Tensor:
        words, decoded, block, edges, kinds = (torch.as_tensor(part) for part in self._corpus.take(rows).joined())
        source, target = edges
        state = self.embedding(words)
        for _ in range(ROUNDS):
            seen = _normalised(state)
            messages = (self.message(seen)[source] + self.kind(kinds)).relu()
            received = segment_sum(messages, target, len(words))
            state = state + self.update(torch.cat((seen, received), dim=1))
        each = nn.functional.softplus(_chosen(self.head(_normalised(state[decoded])), self._target[rows][block]))
        return segment_sum(each, block, len(rows)).clamp_min(1e-4).log()

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        found: dict[str, Tensor] = {
            "embedding": self.embedding.weight,
            "kind": self.kind.weight,
            "message.weight": self.message.weight,
        }
        for name, part in (("update", self.update), ("head", self.head)):
            for at, parameter in part.named_parameters():
                layer, _, kind = at.partition(".")
                found[f"{name}.{int(layer) // 2}.{kind}"] = parameter
        return {name: tensor.detach().numpy() for name, tensor in found.items()}


def _chosen(heads: Tensor, target: Ints) -> Tensor:
    """Of each row the output for its CPU.  (rows, CPUs), (rows,) -> (rows,)"""
    return heads.gather(1, torch.as_tensor(target)[:, None])[:, 0]


def _normalised(state: Tensor) -> Tensor:
    return state * torch.rsqrt(state.square().mean(dim=1, keepdim=True) + 1e-6)
