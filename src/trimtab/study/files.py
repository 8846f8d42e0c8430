# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Have `write` fill a file beside the target, then put it in the target's place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_json(target: Path, value: Any) -> None:
    replace_file(target, lambda part: part.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1)))
