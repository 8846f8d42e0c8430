# SPDX-License-Identifier: Apache-2.0
"""How busy the machine is with other things: what makes a measurement doubtful."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LOADAVG: Final = Path("/proc/loadavg")


def cores() -> int:
    """Of the machine: the load is the whole machine's, too."""
    return os.cpu_count() or 1


def load() -> float:
    """Processes that wanted to run, averaged over the last minute; 0 where that can't be read."""
    try:
        return float(LOADAVG.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def is_crowded(seen: float) -> bool:
    """Does what we run share its core with something else? The load of a run of our own counts as one."""
    return seen > cores()
