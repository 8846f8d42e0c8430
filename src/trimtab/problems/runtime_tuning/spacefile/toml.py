# SPDX-License-Identifier: Apache-2.0
"""A TOML file that knows on which line each key stands: what `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import UsageError

Where = tuple[str | int, ...]  # a path of keys, and of indices into arrays of tables

_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED: Final = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_PAIR: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_INLINE: Final = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")
_AT: Final = re.compile(r"\(at line (\d+), column \d+\)")


class Document:
    """The content of a file, and where things stand in it. Raises `UsageError` where it is no TOML."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from None
        try:
            self.content: Mapping[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            at = _AT.search(str(error))
            line = int(at[1]) if at else len(text.splitlines())
            said = _AT.sub("", str(error)).replace("(at end of document)", "").strip()
            raise UsageError(f"{path}:{line}: this is no TOML: {said}") from None
        self._lines = _find(text)

    def line(self, where: Where) -> int:
        """Of the key itself, or of the nearest thing around it."""
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines.get(where, 1)

    def wrong(self, where: Where, message: str) -> UsageError:
        """An error that names the file and the line."""
        return UsageError(f"{self.path}:{self.line(where)}: {message}")


def _find(text: str) -> dict[Where, int]:
    """The line of every table and key. What is inside of strings that go over several lines is not looked at."""
    found: dict[Where, int] = {}
    table: Where = ()
    count: dict[Where, int] = {}
    open_string, depth = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line, was_open = raw, bool(open_string or depth)
        open_string = _still_open(line, open_string)
        if was_open:
            depth = max(0, depth + _depth(line))
            continue
        header, pair = _TABLE.match(line), _PAIR.match(line)
        if header and "=" not in line[: header.end()]:
            table = _keys(header[2])
            found.setdefault(table, number)
            if header[1] == "[[":
                count[table] = count.get(table, -1) + 1
                table = (*table, count[table])
                found[table] = number
        elif pair:
            where = (*table, *_keys(pair[1]))
            found.setdefault(where, number)
            rest = line[pair.end() :]
            for inner in _INLINE.finditer(rest):
                found.setdefault((*where, *_keys(inner[1])), number)
            depth = max(0, _depth(rest)) if not open_string else 0
    return found


def _keys(dotted: str) -> Where:
    return tuple(key.strip().strip("\"'") for key in re.findall(_KEY, dotted))


def _depth(line: str) -> int:
    """How many brackets stay open at the end of a line."""
    bare = re.sub(r"""\"(?:[^"\\]|\\.)*\"|'[^']*'|#.*""", "", line)
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")


def _still_open(line: str, opened: str) -> str:
    """The quotes of a string over several lines that is open after this line."""
    at = 0
    while True:
        if opened:
            end = line.find(opened, at)
            if end < 0:
                return opened
            at, opened = end + 3, ""
        starts = [(k, quotes) for quotes in ('"""', "'''") if (k := line.find(quotes, at)) >= 0]
        if not starts:
            return ""
        at, opened = min(starts)
        at += 3
