# SPDX-License-Identifier: Apache-2.0
"""One device's part of one step: ops as their inputs come, results on their way as soon as they are there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..program.execute import Executable
from .share import ReadyQueue, Share
from .transport import Transport


@dataclass
class Step:
    """What came of a step on one device; times in ns of CLOCK_MONOTONIC."""

    begin: int
    end: int = 0
    ops: list[tuple[int, int, int]] = field(default_factory=list)  # (op, start, end)
    arrivals: list[tuple[int, int]] = field(default_factory=list)  # (tensor, at)
    cpu_ns: int = 0  # of the process
    sent_bytes: int = 0
    messages: int = 0


class Device:
    """A program, and where its ops and tensors are among its nodes. Reused for every step."""

    def __init__(self, executable: Executable, tensors: Sequence[tuple[int, int]]) -> None:
        self.executable, self.tensors = executable, tensors
        self.nodes = executable.program.ops  # node of each op
        self.multiple = {at: len(executable.program.nodes[at].outputs) for at in self.nodes}

    def shapes(self, share: Share) -> Mapping[int, Any]:
        return {
            tensor: self.executable.program.nodes[self.tensors[tensor][0]].outputs[self.tensors[tensor][1]]
            for tensors in share.receives.values()
            for tensor in tensors
        }

    def run(
        self, values: list[Any], share: Share, rank: Sequence[int], transport: Transport, begin: int
    ) -> Step:
        """`values` has the leaves; ops of this device put theirs into it. Begins at once, or when `begin` said."""
        queue, uses = ReadyQueue(share, rank), self._uses(share)
        done = Step(begin)
        cpu = time.process_time_ns()
        with torch.no_grad():
            while queue.left:
                while transport.arrivals:
                    tensor, at = transport.arrivals.popleft()
                    self._put(values, tensor, transport.value(tensor))
                    done.arrivals.append((tensor, at))
                    queue.arrive(tensor, at)
                op = queue.take()
                if op >= 0:
                    self._op(op, values, share, queue, transport, done, uses)
                elif not transport.arrivals:
                    transport.check()
                    transport.wake.wait()
                    transport.wake.clear()
        done.end = done.ops[-1][2] if done.ops else begin
        done.cpu_ns = time.process_time_ns() - cpu
        return done

    def _op(
        self, op: int, values: list[Any], share: Share, queue: ReadyQueue, transport: Transport, done: Step,
        uses: dict[int, int],
    ) -> None:  # fmt: skip
        node = self.nodes[op]
        start = time.monotonic_ns()
        self.executable.steps[node](values)
        end = time.monotonic_ns()
        done.ops.append((op, start, end))
        for tensor in share.makes.get(op, ()):
            if tensor in share.sends:
                output = self.tensors[tensor][1]
                value = values[node][output] if self.multiple[node] > 1 else values[node]
                transport.send(tensor, value, share.sends[tensor])
            queue.arrive(tensor, end)
        for read in (*self.executable.reads[node], node):
            if read in uses:
                uses[read] -= 1
                if not uses[read]:
                    values[read] = None

    def _put(self, values: list[Any], tensor: int, value: Any) -> None:
        node, output = self.tensors[tensor]
        if self.multiple[node] == 1:
            values[node] = value
            return
        if values[node] is None:
            values[node] = [None] * self.multiple[node]
        values[node][output] = value

    def _uses(self, share: Share) -> dict[int, int]:
        """How often each value is still looked at here: by its maker, and by readers. Results are kept."""
        uses: dict[int, int] = {}
        for op in share.ops:
            node = self.nodes[op]
            uses[node] = uses.get(node, 0) + 1
            for read in self.executable.reads[node]:
                uses[read] = uses.get(read, 0) + 1
        return {node: n for node, n in uses.items() if node in self.multiple and node not in self.executable.kept}
