# SPDX-License-Identifier: Apache-2.0
"""The three networks. Each draws many placements at once and says how likely they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.extras import need
from trimtab.kit.message_passing import perceptron

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = need("torch", extra="learn", purpose="training a policy")
    nn = torch.nn


class Placer(nn.Module):
    """Encoder, decoder and attention of 2017: groups in order, each told where the one before it went."""

    def __init__(self, inputs: int, devices: int, width: int = 48) -> None:
        super().__init__()
        self.devices = devices
        self.into = nn.Linear(inputs, width)
        self.encoder = nn.LSTM(width, width, batch_first=True)
        self.decoder = nn.LSTMCell(2 * width, width)
        self.previous = nn.Embedding(devices + 1, width)  # the last one: none yet
        self.query = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(2 * width, devices)

    def forward(self, groups: Tensor, taken: Tensor | None, samples: int) -> tuple[Tensor, Tensor, Tensor]:
        """`groups` (samples or 1, groups, inputs) -> devices (samples, groups); log-probability, entropy"""
        memory, (hidden, cell) = self.encoder(torch.tanh(self.into(groups)))
        memory = memory.expand(samples, -1, -1)
        h, c = hidden[0].expand(samples, -1), cell[0].expand(samples, -1)
        last = torch.full((samples,), self.devices)
        devices, log, entropy = [], torch.zeros(samples), torch.zeros(samples)
        for g in range(groups.shape[1]):
            h, c = self.decoder(torch.cat([memory[:, g], self.previous(last)], 1), (h, c))
            weight = torch.softmax((memory @ self.query(h)[:, :, None])[:, :, 0] / memory.shape[2] ** 0.5, 1)
            read = (weight[:, None] @ memory)[:, 0]
            chance = torch.log_softmax(self.out(torch.cat([h, read], 1)), 1)
            last = torch.multinomial(chance.detach().exp(), 1)[:, 0] if taken is None else taken[:, g]
            devices.append(last)
            log = log + chance.gather(1, last[:, None])[:, 0]
            entropy = entropy - (chance.exp() * chance).sum(1)
        return torch.stack(devices, 1), log, entropy


class Sequence(nn.Module):
    """2017. Groups are given: runs of the topological order."""

    def __init__(self, features: Tensor, group: Tensor, adjacency: Tensor, devices: int) -> None:
        super().__init__()
        self.group = group
        self.groups = described(features, nn.functional.one_hot(group).float(), adjacency)[None]
        self.placer = Placer(self.groups.shape[2], devices)

    def forward(self, taken: Tensor | None, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(devices of units (samples, units), what was drawn, log-probability (samples,), entropy (samples,))"""
        drawn, log, entropy = self.placer(self.groups, taken, samples)
        return drawn[:, self.group], drawn, log, entropy


class Hierarchical(nn.Module):
    """2018. A group is drawn for each unit, then a device for each group."""

    def __init__(self, features: Tensor, group: Tensor, adjacency: Tensor, devices: int) -> None:
        super().__init__()
        self.count = int(group.max()) + 1
        self.features, self.adjacency = features, adjacency
        self.grouper = perceptron([features.shape[1], 64, self.count], activate_last=False)
        self.placer = Placer(features.shape[1] + 1 + self.count, devices)

    def forward(self, taken: Tensor | None, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        units = len(self.features)
        chance = torch.log_softmax(self.grouper(self.features), 1)
        if taken is None:
            group = torch.multinomial(chance.detach().exp(), samples, replacement=True).T
        else:
            group = taken[:, :units]
        member = nn.functional.one_hot(group, self.count).float()
        groups = described(self.features, member, self.adjacency)
        drawn, log, entropy = self.placer(groups, None if taken is None else taken[:, units:], samples)
        log = log + chance.expand(samples, -1, -1).gather(2, group[:, :, None])[:, :, 0].sum(1)
        entropy = entropy - (chance.exp() * chance).sum()
        return drawn.gather(1, group), torch.cat([group, drawn], 1), log, entropy


class GraphAttention(nn.Module):
    """GDP: neighbours' maxima twice (GraphSAGE), attention over all units twice, a device for each at once."""

    def __init__(self, features: Tensor, group: Tensor, adjacency: Tensor, devices: int, width: int = 64) -> None:
        super().__init__()
        self.features = features
        self.ends = ((adjacency + adjacency.T) > 0).nonzero().T
        self.into = nn.Linear(features.shape[1], width)
        self.pool = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.mix = nn.ModuleList([nn.Linear(2 * width, width) for _ in range(2)])
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.attention = nn.TransformerEncoder(layer, 2)
        self.out = nn.Linear(width, devices)

    def forward(self, taken: Tensor | None, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        h = torch.relu(self.into(self.features))
        source, target = self.ends
        for pool, mix in zip(self.pool, self.mix, strict=True):
            message = torch.sigmoid(pool(h))[source]
            most = torch.zeros_like(h).scatter_reduce(0, target[:, None].expand_as(message), message, "amax")
            h = torch.relu(mix(torch.cat([h, most], 1)))
        chance = torch.log_softmax(self.out(self.attention(h[None])[0]), 1)
        if taken is None:
            taken = torch.multinomial(chance.detach().exp(), samples, replacement=True).T
        log = chance.expand(samples, -1, -1).gather(2, taken[:, :, None])[:, :, 0].sum(1)
        entropy = -(chance.exp() * chance).sum().expand(samples)
        return taken, taken, log, entropy


def described(features: Tensor, member: Tensor, adjacency: Tensor) -> Tensor:
    """Groups as the papers describe them: means of their units, their size, and which groups they send to.

    `member` (..., units, groups) -> (..., groups, features + 1 + groups)
    """
    turned = member.transpose(-1, -2)
    size = turned.sum(-1, keepdim=True)
    mean = turned @ features / size.clamp(min=1.0)
    sends = turned @ (adjacency @ member)
    return torch.cat([mean, torch.log1p(size) / 4, (sends > 0).float()], -1)
