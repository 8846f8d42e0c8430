# SPDX-License-Identifier: Apache-2.0
"""Tensors between devices over ``torch.distributed`` point to point: one transfer per tensor and device that reads it.

All receives of a step are posted before it begins, and sends never wait, so that nothing
can block. A sender says with a small message which tensor comes next: both go over
one stream, in order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from typing import Any

import torch
import torch.distributed as dist

from trimtab.core.errors import TrimtabError

from ..program.instructions import Shape


class Transport:
    """The tensors of one step that reach this device, and the sends that leave it.

    `arrivals` has (tensor, ns) in the order of arrival; `wake` is set with each.
    """

    def __init__(
        self, receives: Mapping[int, Sequence[int]], shapes: Mapping[int, Shape], group: Any, device: str = "cpu"
    ) -> None:
        self.group, self.shapes = group, shapes
        self.arrivals: deque[tuple[int, int]] = deque()
        self.wake = Event()
        self.failure = ""
        self.sent_bytes = self.messages = 0
        self._sending: list[tuple[Any, Any]] = []
        self.buffers = {t: _buffer(shapes[t], device) for tensors in receives.values() for t in tensors}
        self._threads = [
            Thread(target=self._receive, args=(source, *self._post(source, tensors)), daemon=True)
            for source, tensors in receives.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def send(self, tensor: int, value: Any, to: Sequence[int]) -> None:
        """Begin to send; the value is kept until it is out."""
        flat = _flat(value, self.shapes[tensor])
        header = torch.tensor([tensor], dtype=torch.int64)
        for device in to:
            for part, tag in ((header, 0), (flat, tensor + 1)):
                self._sending.append((dist.isend(part, device, group=self.group, tag=tag), part))
            self.sent_bytes += flat.numel() * flat.element_size()
            self.messages += 1

    def value(self, tensor: int) -> Any:
        """What arrived, in the layout of the original."""
        shape, flat = self.shapes[tensor], self.buffers.pop(tensor)
        order = _order(shape.size, shape.stride)
        if order is None:
            return flat.view(shape.size)
        return flat.view([shape.size[d] for d in order]).permute([order.index(d) for d in range(len(order))])

    def finish(self) -> None:
        """Wait until all has left and all has come."""
        try:
            for work, _ in self._sending:
                work.wait()
        except RuntimeError as error:
            raise TrimtabError(f"a device did not take what was sent to it: {_reason(error)}") from error
        for thread in self._threads:
            thread.join()
        self.check()

    def check(self) -> None:
        if self.failure:
            raise TrimtabError(self.failure)

    def _post(self, source: int, tensors: Sequence[int]) -> tuple[list[Any], dict[int, Any]]:
        headers = [torch.zeros(1, dtype=torch.int64) for _ in tensors]
        named = [(dist.irecv(header, source, group=self.group, tag=0), header) for header in headers]
        return named, {t: dist.irecv(self.buffers[t], source, group=self.group, tag=t + 1) for t in tensors}

    def _receive(self, source: int, named: list[tuple[Any, Any]], payload: dict[int, Any]) -> None:
        try:
            for work, header in named:
                work.wait()
                tensor = int(header)
                payload[tensor].wait()
                self.arrivals.append((tensor, time.monotonic_ns()))
                self.wake.set()
        except RuntimeError as error:
            self.failure = f"device {source} sent nothing more: {_reason(error)}"
            self.wake.set()


def _buffer(shape: Shape, device: str) -> Any:
    count = 1
    for n in shape.size:
        count *= n
    return torch.empty(count, dtype=getattr(torch, shape.dtype), device=device)


def _flat(value: Any, shape: Shape) -> Any:
    """The elements in the order of the traced layout, whatever the layout is: no copy where they are the same.

    A view of what was received may lie otherwise in memory than the same view of what was made here.
    """
    order = _order(shape.size, shape.stride)
    return (value if order is None else value.permute(order)).contiguous().view(-1)


def _order(size: Sequence[int], stride: Sequence[int]) -> list[int] | None:
    """Dimensions from the outermost in memory to the innermost; None where there are gaps or overlaps."""
    order = sorted(range(len(size)), key=lambda d: (-stride[d], d))
    expected = 1
    for d in reversed(order):
        if size[d] != 1 and stride[d] != expected:
            return None
        expected *= size[d]
    return order


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
