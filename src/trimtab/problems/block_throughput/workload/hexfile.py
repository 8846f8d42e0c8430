# SPDX-License-Identifier: Apache-2.0
"""Lists of blocks as text: machine code in hexadecimal digits, one block a line (also BHive's CSV files)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trimtab.core.errors import InvalidInstance

MAX_FILE: Final = 1 << 30  # bytes
_SEPARATORS: Final = ",;\t "


def parse_hex(text: str, where: str) -> bytes:
    """Bytes of one block."""
    digits = text.strip().removeprefix("0x")
    try:
        code = bytes.fromhex(digits)
    except ValueError:
        raise InvalidInstance(f"{where}: {digits[:40]!r} is not machine code in hexadecimal digits") from None
    if not code:
        raise InvalidInstance(f"{where}: an empty block")
    return code


def read_hex(path: Path) -> list[bytes]:
    """The blocks of a file; what follows a comma, semicolon or blank is ignored, and so are lines that begin with #."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise InvalidInstance(f"{path} is larger than {MAX_FILE} bytes")
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise InvalidInstance(f"{path} is not a list of blocks in hexadecimal digits, one a line") from None
    except OSError as error:
        raise InvalidInstance(f"{path}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            for separator in _SEPARATORS:
                text = text.partition(separator)[0]
            found.append(parse_hex(text, f"{path}, line {number}"))
    if not found:
        raise InvalidInstance(f"{path} has no blocks")
    return found
