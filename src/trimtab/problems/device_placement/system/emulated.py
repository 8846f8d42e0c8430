# SPDX-License-Identifier: Apache-2.0
"""A device of the backend ``emulated``: ``python -m trimtab....system.emulated FD PEER:FD ...``.

An op is a sleep; a transfer is that many bytes over a socket, paced. One loop does
all: it sleeps until the next op ends, the next piece is due or something arrives.
Ends are reckoned from starts, not from when the process woke up: a device that is
never idle loses no time to the machine's clock. Arrivals are as they were.
"""

from __future__ import annotations

import heapq
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from trimtab.core.errors import TrimtabError

from .control import Line, end_with_parent
from .share import ReadyQueue, Share, Wiring, share_of

_HEAD: Final = struct.Struct("<iq")  # tensor, bytes that follow
_PIECE_NS: Final = 1_000_000  # between pieces of a transfer
_LARGEST: Final = 1 << 20  # B of a piece
_ZEROS: Final = memoryview(bytes(_LARGEST))


@dataclass(order=True)
class Transfer:
    """Bytes on their way: due at a pace."""

    due: int  # ns, of the next piece
    tensor: int = field(compare=True)
    peers: list[int] = field(compare=False)
    start: int = field(compare=False)  # ns
    there: int = field(compare=False)  # ns
    size: int = field(compare=False)
    sent: int = field(compare=False, default=0)


class Links:
    """Sockets to all others; pieces go out when they are due, and nothing ever blocks."""

    def __init__(self, peers: dict[int, socket.socket]) -> None:
        self.peers = peers
        self.of = {sock: peer for peer, sock in peers.items()}
        for sock in peers.values():
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.waiting: list[Transfer] = []  # a heap by due
        self.unsent: dict[int, deque[memoryview]] = {peer: deque() for peer in peers}
        self.partial: dict[int, bytearray] = {peer: bytearray() for peer in peers}
        self.expect: dict[int, tuple[int, int]] = {}  # peer -> (tensor, bytes still to come of this piece)
        self.got: dict[int, int] = {}  # tensor -> B
        self.scratch = bytearray(_LARGEST)
        self.sent_bytes = self.messages = 0

    def begin(self, tensor: int, size: int, peers: list[int], start: int, there: int) -> None:
        first = there if size == 0 else min(there, start + _PIECE_NS)
        heapq.heappush(self.waiting, Transfer(first, tensor, peers, start, there, size))

    def pump(self, now: int) -> None:
        """Send what is due."""
        while self.waiting and self.waiting[0].due <= now:
            transfer = heapq.heappop(self.waiting)
            last = now >= transfer.there
            span = max(transfer.there - transfer.start, 1)
            until = transfer.size if last else transfer.size * max(0, now - transfer.start) // span
            amount = min(until - transfer.sent, _LARGEST)
            whole = last and transfer.sent + amount == transfer.size
            if amount > 0 or whole:
                for peer in transfer.peers:
                    self._send(peer, transfer.tensor, amount)
                transfer.sent += amount
            if whole:
                self.messages += len(transfer.peers)
                self.sent_bytes += transfer.size * len(transfer.peers)
            else:
                transfer.due = now if last else min(transfer.there, now + _PIECE_NS)
                heapq.heappush(self.waiting, transfer)

    def _send(self, peer: int, tensor: int, amount: int) -> None:
        parts = self.unsent[peer]
        parts.append(memoryview(_HEAD.pack(tensor, amount)))
        if amount:
            parts.append(_ZEROS[:amount])
        self.flush(peer)

    def flush(self, peer: int) -> None:
        parts, sock = self.unsent[peer], self.peers[peer]
        while parts:
            try:
                done = sock.send(parts[0])
            except BlockingIOError:
                return
            if done == len(parts[0]):
                parts.popleft()
            else:
                parts[0] = parts[0][done:]

    def receive(self, peer: int, sizes: list[int]) -> list[int]:
        """Tensors that are now complete."""
        done: list[int] = []
        sock = self.peers[peer]
        while True:
            try:
                count = sock.recv_into(self.scratch)
            except BlockingIOError:
                return done
            if not count:
                raise TrimtabError(f"device {peer} has gone")
            self._take(peer, memoryview(self.scratch)[:count], sizes, done)

    def _take(self, peer: int, data: memoryview, sizes: list[int], done: list[int]) -> None:
        head = self.partial[peer]
        while len(data):
            tensor, left = self.expect.get(peer, (-1, 0))
            if left:
                used = min(left, len(data))
                self.expect[peer] = tensor, left - used
                self._count(tensor, used, sizes, done)
                data = data[used:]
                continue
            need = _HEAD.size - len(head)
            head += data[:need]
            data = data[need:]
            if len(head) == _HEAD.size:
                self.expect[peer] = _HEAD.unpack(head)
                head.clear()
                if not self.expect[peer][1]:
                    self._count(self.expect[peer][0], 0, sizes, done)

    def _count(self, tensor: int, used: int, sizes: list[int], done: list[int]) -> None:
        self.got[tensor] = self.got.get(tensor, 0) + used
        if self.got[tensor] == sizes[tensor]:
            done.append(tensor)
            self.got.pop(tensor)

    def wait(self, until: int) -> list[int]:
        """Sleep until a time in ns, or until a socket wants attention; peers that can be read."""
        readable = list(self.peers.values())
        blocked = [self.peers[peer] for peer, parts in self.unsent.items() if parts]
        left = max(0, until - time.monotonic_ns()) * 1e-9
        ready, writable, _ = select.select(readable, blocked, [], left)
        for sock in writable:
            self.flush(self.of[sock])
        return [self.of[sock] for sock in ready]

    @property
    def idle(self) -> bool:
        return not self.waiting and not any(self.unsent.values())


class Emulation:
    """One device's step."""

    def __init__(self, task: dict[str, Any], share: Share, rank: list[int], sizes: list[int], links: Links) -> None:
        self.task, self.share, self.links, self.sizes = task, share, links, sizes
        self.queue = ReadyQueue(share, rank)
        self.op, self.end, self.free, self.link_free = -1, 0, 0, 0
        self.ops: list[tuple[int, int, int]] = []
        self.arrivals: list[tuple[int, int]] = []

    def run(self, begin: int, seconds: float) -> None:
        self.free = self.link_free = begin
        for op in self.share.ops:
            self.queue.at[op] = begin
        self.queue.restart()
        give_up = begin + int(seconds * 1e9)
        self.links.wait(begin)
        while self.queue.left or self.op >= 0 or not self.links.idle:
            now = time.monotonic_ns()
            if now > give_up:
                raise TrimtabError(f"the step has not ended after {seconds:.0f} s")
            if now < begin:
                self._arrived(self.links.wait(begin))
                continue
            self._work(now)
            self.links.pump(time.monotonic_ns())
            due = [give_up]
            if self.op >= 0:
                due.append(self.end)
            if self.links.waiting:
                due.append(self.links.waiting[0].due)
            if self.queue.left or self.op >= 0 or not self.links.idle:
                self._arrived(self.links.wait(min(due)))

    def _work(self, now: int) -> None:
        """End the op whose time is over, begin the next; ops without a duration follow at once."""
        while True:
            if self.op >= 0:
                if now < self.end:
                    return
                self._finish()
            self.op = self.queue.take()
            if self.op < 0:
                return
            start = max(self.free, self.queue.at[self.op])
            self.end = start + self.task["cost"][self.op]
            self.ops.append((self.op, start, self.end))

    def _finish(self) -> None:
        op, end = self.op, self.end
        self.free = end + (self.task["overhead"] if self.task["cost"][op] else 0)
        for tensor in self.share.makes.get(op, ()):
            self.queue.arrive(tensor, end)
            to = self.share.sends.get(tensor, [])
            takes = [self.task["alpha"][d] + round(self.task["beta"][d] * self.sizes[tensor]) for d in to]
            if to and self.task["links"] == "bus":
                start = max(end, self.link_free)
                self.links.begin(tensor, self.sizes[tensor], to, start, start + max(takes))
                self.link_free = start + max(takes) + self.task["gap"]
            elif to:
                for d, span in zip(to, takes, strict=True):
                    self.links.begin(tensor, self.sizes[tensor], [d], end, end + span)

    def _arrived(self, peers: list[int]) -> None:
        for peer in peers:
            for tensor in self.links.receive(peer, self.sizes):
                now = time.monotonic_ns()
                self.arrivals.append((tensor, now))
                self.queue.arrive(tensor, now)


def main() -> None:
    end_with_parent()
    line = Line(int(sys.argv[1]))
    peers = {int(peer): socket.socket(fileno=int(fd)) for peer, _, fd in (word.partition(":") for word in sys.argv[2:])}
    links = Links(peers)
    wiring, task = Wiring(0, [], [], []), dict[str, Any]()
    while True:
        message = line.hear()
        try:
            if message["do"] == "load":
                wiring, task = Wiring(*message["wiring"]), message
                line.tell({})
                continue
            share = share_of(wiring, message["device"], task["here"])
            emulation = Emulation(task, share, message["rank"], wiring.tensor_bytes, links)
            links.sent_bytes = links.messages = 0
            line.tell({"ready": True})
            emulation.run(line.hear()["begin"], message["seconds"])
            line.tell({
                "end": max([end for _, _, end in emulation.ops], default=0), "ops": emulation.ops,
                "arrivals": emulation.arrivals, "cpu_ns": 0, "sent_bytes": links.sent_bytes,
                "messages": links.messages,
            })  # fmt: skip
        except TrimtabError as error:
            line.tell({"failed": str(error)})


if __name__ == "__main__":
    main()
