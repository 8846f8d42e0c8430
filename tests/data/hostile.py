# SPDX-License-Identifier: Apache-2.0
"""A server that misbehaves as told, and a file for it to serve."""

from __future__ import annotations

import hashlib
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from trimtab.data import File

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes

Behaviour = Callable[[socket.socket, int], None]  # the connection, and where the asked range begins


@dataclass
class Server:
    """Answers each path by the behaviours queued for it; the last one stays."""

    url: str
    behaviours: dict[str, list[Behaviour]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[int] = field(default_factory=list)

    def on(self, path: str, *behaviours: Behaviour) -> str:
        self.behaviours[path] = list(behaviours)
        return f"{self.url}{path}"

    def answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65536)
            if not received:
                return
            request += received
        head = request.decode("latin-1")
        path = head.split()[1]
        start = int(head.split("Range: bytes=")[1].split("-")[0]) if "Range: bytes=" in head else 0
        self.requests[path] += 1
        self.ranges.append(start)
        queue = self.behaviours.get(path, [status(404)])
        (queue.pop(0) if len(queue) > 1 else queue[0])(connection, start)


def head(code: int = 200, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} x", *lines, "Connection: close", "", ""]).encode()


def serve(content: bytes = CONTENT, *, cut: int | None = None, ranges: bool = True) -> Behaviour:
    """An honest server; with `cut`, its connection ends after that many bytes of the body."""

    def behave(connection: socket.socket, start: int) -> None:
        start = start if ranges else 0
        if start and start >= len(content):
            connection.sendall(head(416))
            return
        extra = [f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}"] if start else []
        connection.sendall(head(206 if start else 200, f"Content-Length: {len(content) - start}", *extra))
        connection.sendall(content[start:] if cut is None else content[start : start + cut])

    return behave


def status(code: int, *lines: str) -> Behaviour:
    return lambda connection, _: connection.sendall(head(code, *lines))


def raw(*pieces: bytes) -> Behaviour:
    """Sends these bytes, whatever was asked."""

    def behave(connection: socket.socket, _: int) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return behave


def then_hang(behaviour: Behaviour, seconds: float = 3.0) -> Behaviour:
    def behave(connection: socket.socket, start: int) -> None:
        behaviour(connection, start)
        connection.settimeout(seconds)
        connection.recv(1)  # until the client gives up

    return behave


def make_file(*sources: str, content: bytes = CONTENT, name: str = "numbers.bin") -> File:
    return File(
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        media_type="application/octet-stream",
        description="Numbers.",
        sources=sources,
    )
