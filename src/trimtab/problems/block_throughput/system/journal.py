# SPDX-License-Identifier: Apache-2.0
"""Readings on disk as they come: append-only, so that an interrupted campaign goes on where it stopped."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from trimtab.core.errors import UsageError

from .wire import RESULT, Reading, unpack

_MAGIC: Final = b"trimtab readings 1\n"
_KEY: Final = 8  # bytes
_FLUSH_S: Final = 1.0


def key_of(code: bytes) -> bytes:
    """What a block is filed under."""
    return blake2b(code, digest_size=_KEY).digest()


class Journal:
    """A file of readings, for one header: what they depend on. Use as a context manager.

    Raises `UsageError` where the file is of another header, is no journal, or is in
    use. What was cut off in the middle of a reading is dropped.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.readings: dict[bytes, list[Reading]] = {}
        self._buffer: list[bytes] = []
        self._flushed = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        try:
            self._open(_MAGIC + json.dumps(dict(header), sort_keys=True).encode() + b"\n")
        except BaseException:
            self._file.close()
            raise

    def add(self, key: bytes, reading: Reading) -> None:
        self._buffer.append(key + RESULT.pack(*(getattr(reading, name) for name in Reading.__slots__)))
        if time.monotonic() - self._flushed > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        self._file.write(b"".join(self._buffer))
        self._buffer.clear()
        self._flushed = time.monotonic()

    def close(self) -> None:
        if not self._file.closed:
            self.flush()
            self._file.close()

    def remove(self) -> None:
        """All of it went into something better."""
        self.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, head: bytes) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.path} is in use: another capture writes it. Choose another output.") from None
        self._file.seek(0)
        data = self._file.read()
        if not data:
            self._file.write(head)
            return
        if not data.startswith(_MAGIC):
            raise UsageError(f"{self.path} is not a journal of readings; choose another output, or move it away")
        if not data.startswith(head):
            raise UsageError(f"{self.path} was begun on another CPU or with other options; repeat those, or delete it")
        size = _KEY + RESULT.size
        whole = (len(data) - len(head)) // size
        os.ftruncate(self._file.fileno(), len(head) + whole * size)
        for at in range(len(head), len(head) + whole * size, size):
            (reading,) = unpack(data[at + _KEY : at + size])
            self.readings.setdefault(data[at : at + _KEY], []).append(reading)
