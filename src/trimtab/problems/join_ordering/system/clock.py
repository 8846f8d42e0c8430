# SPDX-License-Identifier: Apache-2.0
"""On-CPU time of a PostgreSQL backend: the first number of ``/proc/PID/schedstat``, in ns.

Wall time on a machine that does other work says little; on-CPU time counts only
what the backend was running for. It can be read only where the server's processes
are this machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .session import Session

#: ns of CPU that a backend has had so far.
Clock = Callable[[], int]


def backend_clock(session: Session) -> Clock | None:
    """None where the backend does not run on this machine, or its time can't be read."""
    pid = int(session.rows("SELECT pg_backend_pid()")[0][0])
    stat = Path(f"/proc/{pid}/schedstat")

    def read() -> int:
        return int(stat.read_text().split()[0])

    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"postgres" not in title:  # a PID of another machine or container, which happens to exist here
            return None
        before = read()
        session.rows("SELECT count(*) FROM generate_series(1, 200000)")
        return read if read() - before > 1_000_000 else None
    except (OSError, ValueError, IndexError):
        return None
