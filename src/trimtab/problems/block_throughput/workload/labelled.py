# SPDX-License-Identifier: Apache-2.0
"""Measured blocks in a file: NumPy's .npz, compressed, without pickles, with a card that says what they are."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError

from ..problem import NOTIONS, Floats, Notion

FORMAT: Final = 1
MAX_BLOCK: Final = 1000  # bytes
MAX_FILE: Final = 1 << 30  # bytes, unpacked
_ARRAYS: Final = ("code", "size", "cycles", "application", "frequency", "card")
_DAMAGE: Final = (
    *(ValueError, KeyError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
_DIGITS: Final = 13  # bits of precision that are kept: 0.01 %, a tenth of what a measurement is good for


@dataclass(frozen=True, eq=False)
class Labelled:
    """Blocks of one CPU and one notion, and what each takes."""

    blocks: tuple[bytes, ...]
    cycles: Floats  # (blocks,) core cycles per iteration
    application: tuple[str, ...]  # (blocks,) where it was found; several are joined by ","
    frequency: Floats  # (blocks,) executions or occurrences, any unit
    cpu: str  # "AuthenticAMD-25-17"
    notion: Notion = "U"
    card: dict[str, Any] = field(default_factory=dict)  # plain values: how they were made

    def __len__(self) -> int:
        return len(self.blocks)


def write_labelled(path: Path, labelled: Labelled) -> None:
    """Write a set; an old file of the name survives any failure. Values keep four digits."""
    names = sorted(set(labelled.application))
    number = {name: index for index, name in enumerate(names)}
    head = {
        "format": FORMAT,
        "cpu": labelled.cpu,
        "notion": labelled.notion,
        "applications": names,
        "card": labelled.card,
    }
    arrays: dict[str, NDArray[Any]] = {
        "code": np.frombuffer(b"".join(labelled.blocks), np.uint8),
        "size": np.array([len(block) for block in labelled.blocks], np.uint16),
        "cycles": _rounded(labelled.cycles),
        "application": np.array([number[name] for name in labelled.application], np.uint16),
        "frequency": _rounded(labelled.frequency),
        "card": np.frombuffer(json.dumps(head, sort_keys=True, allow_nan=False).encode(), np.uint8),
    }
    _check(path, arrays, head)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_labelled(path: Path) -> Labelled:
    """Read a set. Raises `DataError` where the file is no set of labels, or contradicts itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_FILE:
            raise DataError(f"{path}: {unpacked} bytes when unpacked; at most {MAX_FILE} are read")
        with np.load(path, allow_pickle=False) as archive:
            if set(archive.files) != set(_ARRAYS):
                raise DataError(f"{path} is not a set of labels: its arrays are {', '.join(archive.files)[:200]}")
            arrays = {name: archive[name] for name in _ARRAYS}
        head = json.loads(arrays["card"].tobytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise DataError(f"{path} is not a set of labels: {error}") from error
    _check(path, arrays, head)
    ends = np.cumsum(arrays["size"], dtype=np.int64).tolist()
    code = arrays["code"].tobytes()
    names = head["applications"]
    return Labelled(
        blocks=tuple(code[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)),
        cycles=arrays["cycles"].astype(np.float64),
        application=tuple(names[index] for index in arrays["application"].tolist()),
        frequency=arrays["frequency"].astype(np.float64),
        cpu=head["cpu"],
        notion=head["notion"],
        card=head["card"],
    )


def _check(path: Path, arrays: Mapping[str, NDArray[Any]], head: Any) -> None:
    """Whether a file's parts fit each other; the message names the first that doesn't."""
    count = len(arrays["size"]) if arrays["size"].ndim == 1 else -1
    size, cycles, frequency = arrays["size"], arrays["cycles"], arrays["frequency"]
    wrong = ""
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        wrong = f"its format is not {FORMAT}"
    elif not isinstance(head.get("cpu"), str) or not head["cpu"] or head.get("notion") not in NOTIONS:
        wrong = "its CPU or notion is missing"
    elif not isinstance(head.get("card"), dict) or not _are_names(head.get("applications")):
        wrong = "its card or its applications are missing"
    elif count < 1 or any(arrays[name].shape != (count,) for name in ("cycles", "application", "frequency")):
        wrong = "its arrays are not of one length"
    elif {name: arrays[name].dtype.kind for name in _ARRAYS} != dict(zip(_ARRAYS, "uufufu", strict=True)):
        wrong = "its arrays are not of the types that they should be"
    elif size.min() < 1 or size.max() > MAX_BLOCK or int(size.sum()) != arrays["code"].size:
        wrong = "the sizes of its blocks don't add up"
    elif not (np.isfinite(cycles).all() and cycles.min() > 0):
        wrong = "cycles must be finite and above 0"
    elif not (np.isfinite(frequency).all() and frequency.min() >= 0):
        wrong = "frequencies must be finite and not below 0"
    elif int(arrays["application"].max()) >= len(head["applications"]):
        wrong = "a block is of an application that is not named"
    if wrong:
        raise DataError(f"{path}: {wrong}")


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _rounded(values: Floats) -> NDArray[np.float32]:
    """The nearest numbers of `_DIGITS` bits, which compress well."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.round(mantissa * 2**_DIGITS) / 2**_DIGITS, exponent).astype(np.float32)
