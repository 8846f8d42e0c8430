# SPDX-License-Identifier: Apache-2.0
"""What a result was computed with: a source file and all that it imports, as the key of a cache."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

_IMPORTED: Final = re.compile(r"^from (\.+)([\w.]*) import (\([^)]*\)|.+)$", re.MULTILINE)


def digest(source: Path) -> str:
    """Of a file and of those that it is `made_of`: it changes when any of them does."""
    total = hashlib.blake2b(digest_size=8)
    for part in sorted(made_of(source)):
        total.update(part.read_bytes())
    return total.hexdigest()


def made_of(source: Path) -> set[Path]:
    """A file and those that it imports with a dot in front, directly or not."""
    found: set[Path] = set()
    ahead = [source]
    while ahead:
        path = ahead.pop()
        if path not in found and path.is_file():
            found.add(path)
            for dots, module, names in _IMPORTED.findall(path.read_text("utf-8")):
                base = path.parents[len(dots) - 1]
                if module:
                    ahead.append(base.joinpath(*module.split(".")).with_suffix(".py"))
                else:
                    ahead.extend(
                        base / f"{name.partition(' as ')[0].strip()}.py" for name in names.strip("()").split(",")
                    )
    return found
