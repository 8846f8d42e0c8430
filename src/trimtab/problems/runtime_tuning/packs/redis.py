# SPDX-License-Identifier: Apache-2.0
"""Redis: defaults from ``CONFIG GET`` of a server started for it, validity from how it refuses what it can't take.

What changes whether data survive (``appendonly``, ``save``), who may connect, and
where files lie is never on offer.
"""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import Unavailable

from ..space import Knob, KnobSpace, Value
from .asking import ask, find, version
from .pack import Pack, Setting

_CORES: Final = 4  # with fewer, redis.conf advises against threads


def _number(name: str, low: int, high: int, about: str = "", **more: Any) -> Knob:
    return Knob(name, "int", low, low, high, log=low > 0, about=about, **more)


#: knobs that tend to matter, with the part of their range that is worth a try; defaults come from the server
_NUMBERS: Final = (
    _number("hash-max-listpack-entries", 4, 4096, "hashes up to this stay packed"),
    _number("hash-max-listpack-value", 8, 1024, "B, values up to this"),
    _number("zset-max-listpack-entries", 4, 4096, "sorted sets up to this stay packed"),
    _number("zset-max-listpack-value", 8, 1024, "B, values up to this"),
    _number("set-max-intset-entries", 4, 16384, "sets of numbers up to this stay packed"),
    _number(
        "list-max-listpack-size", 8, 4096, "entries of a node; -1 to -5: 4 to 64 KiB", special=(-1, -2, -3, -4, -5)
    ),
    _number("list-compress-depth", 0, 4, "nodes at each end that are not compressed; 0: none is"),
    _number("stream-node-max-entries", 4, 4096),
    _number("stream-node-max-bytes", 256, 65536, "B"),
    _number("hll-sparse-max-bytes", 64, 16000, "B"),
    _number("hz", 1, 100, "rounds of background work a second"),
    _number("active-expire-effort", 1, 10),
    _number("io-threads", 1, 8, "only with 4 cores or more: they spin", restart=True),
    _number("slowlog-log-slower-than", 1, 100_000, "us; -1: none is logged", special=(-1,)),
    _number("latency-monitor-threshold", 1, 1000, "ms; 0: off", special=(0,)),
)
_SWITCHES: Final = (
    "activerehashing", "dynamic-hz", "latency-tracking", "jemalloc-bg-thread", "activedefrag",
    "lazyfree-lazy-user-del", "lazyfree-lazy-expire", "lazyfree-lazy-server-del", "disable-thp",
)  # fmt: skip
#: of everything: what is about safety, access, places, other machines or the process itself
_KEPT: Final = re.compile(
    r"append|aof|save|rdb|dir|file|pass|auth|user|acl|tls|bind|port|socket|repl|slave|master|cluster|syslog|log|pid|"
    r"daemon|supervised|protected|enable-|sentinel|shutdown|title|oom|cpulist|databases|notify|crash|timeout|module|"
    r"loading|maxclients|maxmemory|limit|announce|tracking-table|sanitize|backlog|keepalive|failover|min-|propagation"
)
_ALIASES: Final = re.compile("ziplist")  # old names of the same knobs
_BOUNDS: Final = re.compile(r"must be between (-?\d+) and (-?\d+) inclusive")
_LISTED: Final = re.compile(r"must be one of the following: (.+)")


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    path = find(tool, "redis-server", "redis-server", name)
    defaults = _defaults(path)
    knobs = list(_knobs(path, defaults))
    if everything:
        taken = {knob.name for knob in knobs}
        others = [n for n in defaults if n not in taken and not _KEPT.search(n) and not _ALIASES.search(n)]
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda other: _unknown(path, other, defaults[other]), others)
            knobs += [knob for knob in found if knob]
    return Pack(name, str(path), version(ask([path, "--version"])), KnobSpace(tuple(knobs)), write)


def _knobs(path: Path, defaults: Mapping[str, str]) -> Iterator[Knob]:
    """The shortlist, as far as this server has it."""
    for knob in _NUMBERS:
        if knob.name == "io-threads" and len(os.sched_getaffinity(0)) < _CORES:
            continue
        if re.fullmatch(r"-?\d+", defaults.get(knob.name, "")):
            low, high = bounds(path, knob.name)
            least, most = max(knob.low, low), min(knob.high, high)
            default = int(defaults[knob.name])
            if default not in knob.special:
                least, most = min(least, default), max(most, default)
            if least < most:
                yield replace(knob, default=default, low=least, high=most, log=least > 0)
    for name in _SWITCHES:
        if defaults.get(name) in ("yes", "no") and _turns(path, name, defaults[name]):
            yield Knob(name, "bool", defaults[name] == "yes")


def _unknown(path: Path, name: str, default: str) -> Knob | None:
    """A knob of which only the server knows something."""
    if default in ("yes", "no"):
        return Knob(name, "bool", default == "yes") if _turns(path, name, default) else None
    if re.fullmatch(r"-?\d+", default):
        low, high = bounds(path, name)
        value = int(default)
        if math.isfinite(low) and high - low <= 1000:
            return Knob(name, "int", value, low, high) if low < high else None
        if value > 0:
            least, most = max(low, 1, value // 8), min(high, value * 8, float(1 << 50))
            return Knob(name, "int", value, least, most, log=True) if least < most else None
        return None
    listed = _LISTED.search(refusal(path, name, "no such value"))
    choices = tuple(listed.group(1).strip().split(", ")) if listed else ()
    return Knob(name, "enum", default, values=choices) if default in choices and len(choices) > 1 else None


def _turns(path: Path, name: str, default: str) -> bool:
    """Can this one be turned round? Not what the server was built without, such as Debian's ``activedefrag``."""
    return f"'{name} " not in refusal(path, name, "no" if default == "yes" else "yes")


def bounds(path: Path, name: str) -> tuple[float, float]:
    """The range of a number, as the server says when it refuses one outside of it; infinite where it does not."""
    for value in (str(-(1 << 62)), str((1 << 63) - 1)):
        found = _BOUNDS.search(refusal(path, name, value))
        if found:
            return float(found.group(1)), float(found.group(2))
    return -math.inf, math.inf


def refusal(path: Path, name: str, value: str) -> str:
    """What the server says as it refuses to start with this; '' if it starts (it ends at once, having no log file)."""
    # the last argument is refused, whatever comes before it: a server that takes `value` does not go on running
    return ask([path, "--port", "0", f"--{name}", value, "--hz", "no-number"], seconds=10).partition("'hz")[0]


def _defaults(path: Path) -> dict[str, str]:
    with _server(path) as connection:
        connection.sendall(b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$1\r\n*\r\n")
        words = _array(connection.makefile("rb"))
    return dict(zip(words[::2], words[1::2], strict=True))


def _array(stream: Any) -> list[str]:
    """A reply that is an array of bulk strings."""
    head = stream.readline()
    if head[:1] != b"*":
        raise Unavailable(f"redis-server answers CONFIG GET with {head[:100]!r}")
    words = []
    for _ in range(int(head[1:])):
        length = int(stream.readline()[1:])
        words.append(stream.read(length + 2)[:-2].decode(errors="replace"))
    return words


@contextmanager
def _server(path: Path) -> Iterator[socket.socket]:
    """A connection to a server of our own, which keeps nothing and is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="trimtab-redis-") as folder:
        place = str(Path(folder, "s"))
        command = [path, "--port", "0", "--unixsocket", place, "--save", ""]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            with _connected(process, place) as connection:
                yield connection
        finally:
            process.kill()
            process.wait()


def _connected(process: subprocess.Popen[bytes], place: str) -> socket.socket:
    until = time.monotonic() + 10
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        try:
            connection.connect(place)
        except OSError as error:
            connection.close()
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable(f"redis-server did not start: {error}") from error
            time.sleep(0.005)
        else:
            return connection


def write(changed: Mapping[str, Value]) -> Setting:
    """``--hz 50 --activedefrag no``."""
    args: list[str] = []
    for name, value in changed.items():
        args += [f"--{name}", ("yes" if value else "no") if isinstance(value, bool) else str(value)]
    return Setting(tuple(args))
