# SPDX-License-Identifier: Apache-2.0
"""What one device has to do in a step, and the queue of what it can do next; the rules are the simulator's."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..problem import OpGraph


@dataclass(frozen=True)
class Wiring:
    """Who makes and who reads each tensor: what an `OpGraph` says, as plain lists that go over a pipe."""

    ops: int
    tensor_op: list[int]
    tensor_bytes: list[int]
    readers: list[list[int]]  # of each tensor

    @classmethod
    def of(cls, graph: OpGraph) -> Wiring:
        readers: list[list[int]] = [[] for _ in range(len(graph.tensor_op))]
        for tensor, op in zip(graph.edge_tensor.tolist(), graph.edge_op.tolist(), strict=True):
            readers[tensor].append(op)
        return cls(graph.num_ops, graph.tensor_op.tolist(), [round(b) for b in graph.tensor_bytes.tolist()], readers)

    def to_json(self) -> list[Any]:
        return [self.ops, self.tensor_op, self.tensor_bytes, self.readers]


@dataclass
class Share:
    """One device's part of a placement."""

    ops: list[int]
    awaited: dict[int, int]  # op -> tensors that it reads
    readers: dict[int, list[int]] = field(default_factory=dict)  # tensor -> readers here
    makes: dict[int, list[int]] = field(default_factory=dict)  # op here -> its tensors
    sends: dict[int, list[int]] = field(default_factory=dict)  # tensor made here -> devices that read it
    receives: dict[int, list[int]] = field(default_factory=dict)  # device -> tensors that come from it


def share_of(wiring: Wiring, device: Sequence[int], here: int) -> Share:
    mine = [op for op in range(wiring.ops) if device[op] == here]
    share = Share(mine, dict.fromkeys(mine, 0))
    for tensor, (op, readers) in enumerate(zip(wiring.tensor_op, wiring.readers, strict=True)):
        home = device[op]
        local = [reader for reader in readers if device[reader] == here]
        for reader in local:
            share.awaited[reader] += 1
        if local:
            share.readers[tensor] = local
            if home != here:
                share.receives.setdefault(home, []).append(tensor)
        if home == here:
            share.makes.setdefault(op, []).append(tensor)
            away = sorted({device[reader] for reader in readers} - {here})
            if away:
                share.sends[tensor] = away
    return share


class ReadyQueue:
    """Ops whose inputs are here. Without ranks the op that was ready first goes first, of two the lower; with
    ranks the lowest rank does."""

    def __init__(self, share: Share, rank: Sequence[int] = ()) -> None:
        self.share, self.rank = share, rank
        self.waits = dict(share.awaited)
        self.at = dict.fromkeys(share.ops, 0)  # latest arrival so far, ns
        self.heap: list[tuple[int, int]] = []
        self.left = len(share.ops)
        self.restart()

    def restart(self) -> None:
        """Ops that read nothing are ready."""
        self.heap = []
        for op in self.share.ops:
            if not self.waits[op]:
                self._ready(op)

    def arrive(self, tensor: int, now: int) -> None:
        """A tensor is here, at a time in ns."""
        for op in self.share.readers.get(tensor, ()):
            self.waits[op] -= 1
            self.at[op] = max(self.at[op], now)
            if not self.waits[op]:
                self._ready(op)

    def take(self) -> int:
        """The next op; -1 where nothing is ready."""
        if not self.heap:
            return -1
        self.left -= 1
        return heapq.heappop(self.heap)[1]

    def _ready(self, op: int) -> None:
        heapq.heappush(self.heap, (self.rank[op] if self.rank else self.at[op], op))
