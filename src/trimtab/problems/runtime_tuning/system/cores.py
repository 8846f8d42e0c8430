# SPDX-License-Identifier: Apache-2.0
"""Cores of one's own: two runs that are pinned never share one, whoever started them."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trimtab.core.errors import UsageError


@contextmanager
def claim(count: int) -> Iterator[list[int]]:
    """So many of the cores that this process may use, held by file locks until the end.

    Raises `UsageError` if there are fewer, or others hold them.
    """
    with ExitStack() as stack:
        held: list[int] = []
        for core in sorted(os.sched_getaffinity(0)):
            if len(held) < count and _hold(core, stack):
                held.append(core)
        if len(held) < count:
            raise UsageError(f"{count} jobs need a free core each to be pinned to, and there are {len(held)}: lower -j")
        yield held


def _hold(core: int, stack: ExitStack) -> bool:
    path = Path(tempfile.gettempdir(), f"trimtab-core-{os.getuid()}-{core}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    stack.callback(os.close, descriptor)
    return True
