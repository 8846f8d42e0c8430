# SPDX-License-Identifier: Apache-2.0
"""`fingerprint`: what makes two values the same, as 32 hex digits.

Made of contents only, so it is the same in every process, on every machine and
under every Python. A cell's key is built from it, a solver's `trained_on` lists
it, and the splits of a problem are disjoint in it.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from collections.abc import Callable, Iterable, Mapping, Set
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UsageError

_Memo = dict[int, tuple[object, bytes]]  # id -> (the object, kept alive; its encoding)


def fingerprint(value: object) -> str:
    """Hash None, numbers, text, bytes, arrays, paths (their file's bytes), enums, and dataclasses,
    mappings, sequences and sets of these. A dataclass counts by its name and its fields, except
    those declared ``compare=False``; the order of a mapping or a set does not count.
    """
    return _hash([_encode(value, {}, type(value).__name__)]).hex()


def fingerprints(values: Mapping[str, object]) -> dict[str, str]:
    """`fingerprint` of each value; what they share (the same object) is hashed once."""
    memo: _Memo = {}
    return {name: _hash([_encode(value, memo, name)]).hex() for name, value in values.items()}


def _hash(parts: Iterable[bytes]) -> bytes:
    return blake2b(b"".join(parts), digest_size=16).digest()


def _encode(value: Any, memo: _Memo, where: str) -> bytes:
    """A prefix-free encoding: a tag, then a length and the contents, or a digest of the parts."""
    known = memo.get(id(value))
    if known is not None:
        return known[1]
    if isinstance(value, np.generic):
        value = value.item()
    for kinds, encode in _ENCODERS:
        if isinstance(value, kinds):
            return encode(value, memo, where)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise UsageError(
            f"{where}: a {type(value).__name__} has no fingerprint. Use numbers, text, arrays, paths, "
            "and dataclasses, mappings, sequences and sets of these."
        )
    encoded = b"D" + _hash(_dataclass(value, memo, where))
    memo[id(value)] = (value, encoded)
    return encoded


def _dataclass(value: Any, memo: _Memo, where: str) -> Iterable[bytes]:
    yield _blob(b"n", type(value).__qualname__.encode())
    for field in dataclasses.fields(value):
        if field.compare:
            yield _blob(b"f", field.name.encode())
            yield _encode(getattr(value, field.name), memo, f"{where}.{field.name}")


def _array(value: np.ndarray[Any, Any], memo: _Memo, where: str) -> bytes:
    if value.dtype.hasobject:
        return b"O" + _encode([value.shape, value.ravel().tolist()], memo, where)
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    head = repr((little.dtype.descr, value.shape)).encode()
    encoded = b"A" + _hash([_blob(b"h", head), little.tobytes()])
    memo[id(value)] = (value, encoded)
    return encoded


def _mapping(value: Mapping[Any, Any], memo: _Memo, where: str) -> bytes:
    pairs = (_encode(k, memo, where) + _encode(v, memo, f"{where}[{k!r}]") for k, v in value.items())
    return b"M" + _hash(sorted(pairs))


def _sequence(value: Iterable[Any], memo: _Memo, where: str) -> bytes:
    return b"L" + _hash([_encode(item, memo, f"{where}[{i}]") for i, item in enumerate(value)])


def _set(value: Set[Any], memo: _Memo, where: str) -> bytes:
    return b"S" + _hash(sorted(_encode(item, memo, where) for item in value))


def _blob(tag: bytes, contents: bytes) -> bytes:
    return tag + struct.pack("<Q", len(contents)) + contents


_ENCODERS: tuple[tuple[type | tuple[type, ...], Callable[[Any, _Memo, str], bytes]], ...] = (
    (type(None), lambda value, memo, where: b"N"),
    (enum.Enum, lambda value, memo, where: _blob(b"e", f"{type(value).__qualname__}.{value.name}".encode())),
    (bool, lambda value, memo, where: b"T" if value else b"F"),
    (int, lambda value, memo, where: _blob(b"i", str(value).encode())),
    (float, lambda value, memo, where: b"d" + struct.pack("<d", value)),
    (str, lambda value, memo, where: _blob(b"s", value.encode("utf-8", "surrogatepass"))),
    ((bytes, bytearray), lambda value, memo, where: _blob(b"b", bytes(value))),
    (Path, lambda value, memo, where: b"P" + _hash([value.read_bytes()])),
    (np.ndarray, _array),
    (Mapping, _mapping),
    ((tuple, list), _sequence),
    (Set, _set),
)
