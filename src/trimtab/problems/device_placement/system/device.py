# SPDX-License-Identifier: Apache-2.0
"""One device's part of one step: ops as their inputs come, results on their way as soon as they are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..program.execute import Executable, Values
from ..program.instructions import Ref, Shape
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


class Device:
    """A program whose ops a device can run. Reused for every step."""

    def __init__(self, executable: Executable) -> None:
        self.executable = executable
        self.program = executable.program
        self.nodes = self.program.ops  # node of each op
        self.tensors = self.program.tensors
        self.get: list[Callable[[Values], Any]] = [executable.getter(ref) for ref in self.tensors]

    def shapes(self, share: Share) -> Mapping[int, Shape]:
        """Of the tensors that it receives or sends."""
        found: dict[int, Shape] = {}
        for tensor in (*share.sends, *(tensor for tensors in share.receives.values() for tensor in tensors)):
            ref = self.tensors[tensor]
            shape = self.program.nodes[ref.node].outputs[ref.output]
            assert shape is not None  # a tensor of the graph
            found[tensor] = shape
        return found

    def run(self, values: Values, share: Share, rank: Sequence[int], transport: Transport, begin: int) -> Step:
        """`values` has the leaves; the ops of this device put theirs into it."""
        work = _Work(self, values, share, ReadyQueue(share, rank), transport, Step(begin))
        cpu = time.process_time_ns()
        with torch.no_grad():
            work.all()
        done = work.done
        done.end = done.ops[-1][2] if done.ops else begin
        done.cpu_ns = time.process_time_ns() - cpu
        return done


class _Work:
    """A step that is under way."""

    def __init__(
        self, device: Device, values: Values, share: Share, queue: ReadyQueue, transport: Transport, done: Step
    ) -> None:
        self.device, self.values, self.share = device, values, share
        self.queue, self.transport, self.done = queue, transport, done
        self.mine = {device.nodes[op] for op in share.ops}
        self.inputs: dict[int, list[int]] = {op: [] for op in share.ops}
        self.uses: dict[int | Ref, int] = {}  # by place, how many reads are still to come
        for tensor, readers in share.readers.items():
            place = self._place(tensor)
            self.uses[place] = self.uses.get(place, 0) + len(readers)
            for op in readers:
                self.inputs[op].append(tensor)

    def all(self) -> None:
        queue, transport = self.queue, self.transport
        while queue.left:
            while transport.arrivals:
                tensor, at = transport.arrivals.popleft()
                self._put(tensor, transport.value(tensor))
                self.done.arrivals.append((tensor, at))
                queue.arrive(tensor, at)
            op = queue.take()
            if op >= 0:
                self._op(op)
            elif not transport.arrivals:
                transport.check()
                transport.wake.wait()
                transport.wake.clear()

    def _op(self, op: int) -> None:
        node, share, values = self.device.nodes[op], self.share, self.values
        start = time.monotonic_ns()
        self.device.executable.steps[node](values)
        end = time.monotonic_ns()
        self.done.ops.append((op, start, end))
        for tensor in share.makes.get(op, ()):
            if tensor in share.sends:
                self.transport.send(tensor, self.device.get[tensor](values), share.sends[tensor])
            self.queue.arrive(tensor, end)
        for tensor in self.inputs[op]:
            place = self._place(tensor)
            self.uses[place] -= 1
            if not self.uses[place]:
                self._drop(place)
        if not self.uses.get(node):
            self._drop(node)

    def _place(self, tensor: int) -> int | Ref:
        """Where a tensor lies: with what its op made, or by itself where only a view of that came."""
        ref = self.device.tensors[tensor]
        base = self.device.program.base(ref).node
        return base if base in self.mine or base == ref.node else ref

    def _put(self, tensor: int, value: Any) -> None:
        place, ref = self._place(tensor), self.device.tensors[tensor]
        if isinstance(place, Ref):
            self.values.received[place] = value
            return
        outputs = len(self.device.program.nodes[place].outputs)
        if outputs == 1:
            self.values[place] = value
            return
        if self.values[place] is None:
            self.values[place] = [None] * outputs
        self.values[place][ref.output] = value

    def _drop(self, place: int | Ref) -> None:
        if isinstance(place, Ref):
            del self.values.received[place]
        elif place not in self.device.executable.kept:
            self.values[place] = None
