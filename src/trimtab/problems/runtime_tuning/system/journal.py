# SPDX-License-Identifier: Apache-2.0
"""What a run of tuning found, on disk as it comes: append-only JSON lines, each safe before the next is begun."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from trimtab.core.errors import DataError, UsageError

FORMAT: Final = "trimtab tune 1"


class Journal:
    """A file of rows for one header: all that the results depend on. Use as a context manager.

    Opening one that exists reads its rows; a last line that was cut off by a crash
    is dropped. Raises `UsageError` where the file is of another header, is no
    journal, or is in use, and `DataError` where a line in the middle is damaged.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        try:
            self._open({"format": FORMAT, **header})
        except BaseException:
            self._file.close()
            raise

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; it is on the disk when this returns."""
        self._write(row)
        self.rows.append(dict(row))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file.fileno())

    def _open(self, header: dict[str, Any]) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.path} is in use: another run writes it. Choose another folder (--out).") from None
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            if data and not f'{{"format":"{FORMAT}"'.encode().startswith(data[:10]):
                raise UsageError(f"{self.path} is no journal of `trimtab tune`; choose another folder (--out)")
            self._file.truncate(0)
            self._write(header)
            return
        self._file.truncate(len(whole))
        first, *lines = whole.splitlines()
        found = self._decode(first, 1)
        if not lines and found.get("format") == FORMAT and found != json.loads(json.dumps(header)):
            self._file.truncate(0)  # another run was begun here, and came to nothing
            self._write(header)
            return
        self._check(found, json.loads(json.dumps(header)))
        self.rows = [self._decode(line, number) for number, line in enumerate(lines, 2)]

    def _check(self, found: dict[str, Any], header: dict[str, Any]) -> None:
        if found.get("format") != FORMAT:
            raise UsageError(f"{self.path} is no journal of `trimtab tune`; choose another folder (--out)")
        changed = [name for name in header if header[name] != found.get(name)]
        if changed:
            raise UsageError(
                f"{self.path} was begun with another {' and another '.join(changed)}: "
                f"{_difference(found, header, changed[0])}. "
                "Repeat the options it was begun with, or choose another folder (--out)."
            )

    def _decode(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{self.path}:{number}: this line is damaged. Remove the file, or mend it from a copy.")
        return row


def _difference(found: Mapping[str, Any], header: Mapping[str, Any], name: str) -> str:
    """The first thing inside of a field that is not the same."""
    before, now = found.get(name), header[name]
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(k for k in sorted({*before, *now}) if before.get(k) != now.get(k))
        name, before, now = f"{name}.{key}", before.get(key), now.get(key)
    return f"{name} was {_short(before)}, and is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
