# SPDX-License-Identifier: Apache-2.0
"""Other people's analysers as subprocesses, text in and out. A batch with a bad item is halved until that is alone."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

TIMEOUT_S: Final = 120.0  # of one process


@dataclass(frozen=True)
class Refused:
    """Why a tool could not say anything about one block."""

    reason: str


class ToolError(Exception):
    """A tool failed on what it was given; the message is the first line of its complaint."""


def run(
    command: Sequence[str | Path], text: str, *, timeout_s: float = TIMEOUT_S, warnings_are_errors: bool = False
) -> str:
    """What a program prints, given `text` on its standard input. Raises `ToolError` where it fails or never ends."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"no answer in {timeout_s:.0f} s") from error
    except OSError as error:
        raise ToolError(f"{command[0]} can't be started: {error.strerror}") from error
    if done.returncode or (warnings_are_errors and done.stderr.strip()):
        raise ToolError(complaint(done.stderr) or f"exit code {done.returncode}")
    return done.stdout


def complaint(stderr: str) -> str:
    """The line of an error output that says what is wrong, without its place: an error, a warning, or the last."""
    lines = [re.sub(r"^\S+:\d+:\d+: ", "", line.strip()) for line in stderr.splitlines() if line.strip()]
    for word in ("error", "warning"):
        for line in lines:
            if word in line.lower():
                return line[:200]
    return lines[-1][:200] if lines else ""


def in_halves(items: Sequence[T], ask: Callable[[Sequence[T]], list[R]]) -> list[R | Refused]:
    """`ask` of all items at once; where it raises `ToolError`, of each half, down to the items that it refuses."""
    if not items:
        return []
    try:
        return list(ask(items))
    except ToolError as error:
        if len(items) == 1:
            return [Refused(str(error))]
    middle = len(items) // 2
    return in_halves(items[:middle], ask) + in_halves(items[middle:], ask)


def tell(tool: str, answers: Sequence[object]) -> None:
    """Log how many blocks a tool refused, by reason: they have no answer, which the study counts."""
    reasons = Counter(answer.reason for answer in answers if isinstance(answer, Refused))
    for reason, count in reasons.most_common():
        logging.getLogger("trimtab").warning("%s: no answer for %d of %d blocks: %s", tool, count, len(answers), reason)
