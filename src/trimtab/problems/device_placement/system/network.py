# SPDX-License-Identifier: Apache-2.0
"""Links between processes, shaped by the kernel: a network namespace for each, veth pairs, and ``tbf`` on the way out.

All of it is made inside the namespaces of the worker processes, which have no name: when
the processes end, however they end, nothing is left of it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from typing import Final

from trimtab.core.errors import Unavailable
from trimtab.core.extras import need_tool

_CLONE_NEWNET: Final = 0x40000000  # unshare(2)

#: B, the largest frames there are. With Ethernet's 1,500 B the kernel would cut and shape each small frame: 2.5 ns of
#: CPU per byte, on the cores that are measured, in place of 0.4.
_FRAME: Final = 65535

#: B that may pass at once after a pause. No smaller than a frame, or tbf cuts it again; no larger, or short messages
#: cross a slow link at the speed of memory.
_LEAST_BURST: Final = 66000

INTERFACE: Final = "link0"
_PURPOSE: Final = "shaping links"


def isolate() -> None:
    """Move this process, which must have one thread, to a network namespace of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        reason = os.strerror(ctypes.get_errno())
        raise Unavailable(
            f"links can't be shaped here: a network namespace of one's own is refused ({reason}). Run as root "
            "(CAP_SYS_ADMIN, CAP_NET_ADMIN), or use a topology without bandwidths, or the backend 'emulated'"
        )
    _ip("link", "set", "lo", "up")


def connect(processes: Sequence[int]) -> None:
    """In the first device's process: a wire to the second, or for more devices a bridge with a wire to each."""
    if len(processes) == 2:
        _ip("link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", str(processes[1]))
        return
    _ip("link", "add", INTERFACE, "type", "bridge")
    for rank, process in enumerate(processes[1:], 1):
        port = f"port{rank}"
        _ip("link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", str(process))
        _ip("link", "set", port, "master", INTERFACE)
        _ip("link", "set", port, "up")


def bring_up(rank: int, bytes_per_s: float) -> None:
    """An address, and a token bucket that lets so many bytes out in a second; 0: as many as will."""
    _ip("addr", "add", f"10.77.0.{rank + 1}/24", "dev", INTERFACE)
    _ip("link", "set", INTERFACE, "mtu", str(_FRAME))
    _ip("link", "set", INTERFACE, "up")
    if bytes_per_s:
        _run("tc", "qdisc", "add", "dev", INTERFACE, "root", "tbf", "rate", f"{round(8 * bytes_per_s)}bit",
             "burst", str(max(_LEAST_BURST, round(bytes_per_s * 1e-4))), "limit", str(1 << 23))  # fmt: skip


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(name: str, *arguments: str) -> None:
    program = need_tool(name, debian="iproute2", purpose=_PURPOSE)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise Unavailable(f"links can't be shaped here: {name} {' '.join(arguments)}: {done.stderr.strip()[:200]}")
