# SPDX-License-Identifier: Apache-2.0
"""Asking a tool what it knows: find it, run it, read what it prints."""

from __future__ import annotations

import math
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from trimtab.core.errors import Unavailable, UsageError
from trimtab.core.extras import need_tool


def find(tool: str, name: str, debian: str, pack: str) -> Path:
    """The tool at `tool`, or the one named `name` on PATH."""
    if tool and os.sep in tool:
        if not os.access(tool, os.X_OK):
            raise UsageError(f"the knob pack {pack!r} asks the tool itself, but {tool} is not a program")
        return Path(tool)
    return need_tool(tool or name, debian=debian, purpose=f"the knob pack {pack!r}")


def ask(command: Sequence[str | Path], *, seconds: float = 30.0) -> str:
    """What a command prints, both streams; its exit status is its own business (``--help`` of some is 1)."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds,
            env=environment, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} does not answer: {error}") from error
    return (done.stdout + done.stderr).decode(errors="replace")


def version(text: str) -> str:
    """The first thing that looks like a version."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return found.group() if found else ""


def around(default: float, low: float, high: float, factor: float = 8.0) -> tuple[float, float, bool]:
    """A range for a whole number nothing more is known of: a factor up and down, or 0 to a few if it is 0.

    Gives low, high, and whether steps are ratios.
    """
    if default <= 0:
        first, last = max(low, min(default, 0.0)), min(high, 16.0)
        return first, last, False
    first, last = max(low, 1.0, math.floor(default / factor)), min(high, math.ceil(default * factor))
    return first, last, True


def smallest(low: int, taken: int, takes: Callable[[int], bool]) -> int:
    """The least value from `low` on that is taken, where `taken` is and so is all in between."""
    if takes(low):
        return low
    while taken - low > 1:  # low is refused
        middle = (low + taken) // 2
        low, taken = (low, middle) if takes(middle) else (middle, taken)
    return taken


def largest(taken: int, high: int, takes: Callable[[int], bool]) -> int:
    """The greatest value up to `high` that is taken, where `taken` is and so is all in between."""
    return -smallest(-high, -taken, lambda value: takes(-value))
