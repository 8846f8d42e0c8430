# SPDX-License-Identifier: Apache-2.0
"""Job profiles in a file: one compressed ``.npz`` without pickles, and its card beside it.

Every array is the concatenation over the jobs, with the number of entries of
each job in ``<name>_count``::

    name, group                       (jobs,) text
    num_tasks                         (all stages,)
    edges                             (all edges, 2)
    levels                            (all levels,)
    offsets                           (all stages x levels, 3, 2), counted in stages x levels
    durations                         (all samples,) ms; uint32 when every one is a whole number, else float64
    measured_mean_ms, driver          (stages of those jobs that have it,)

Reading trusts nothing: sizes are checked before anything is allocated.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance

from ..problem import JobProfile

FORMAT = 1
MAX_BYTES = 1 << 31  # unpacked; Decima's whole data set is 8 MB

_COUNTED = ("num_tasks", "edges", "levels", "offsets", "durations", "measured_mean_ms", "driver")
_KINDS: Mapping[str, str] = {"durations": "iuf", "measured_mean_ms": "iuf", "driver": "b"}  # others: whole numbers
_TRAILING: Mapping[str, tuple[int, ...]] = {"edges": (2,), "offsets": (3, 2)}
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError)


def save_profiles(path: Path, profiles: Sequence[JobProfile], card: Mapping[str, Any]) -> None:
    """Write profiles to ``path`` (``.npz``), and `card` with the file's sha256 to ``<stem>.card.json``.

    Both files appear whole or not at all.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InvalidInstance(f"profile file {path}: its name must end in .npz")
    if not profiles:
        raise InvalidInstance(f"profile file {path}: there are no profiles to write")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **_pack(profiles))
    content = buffer.getvalue()
    described = {**card, "profiles": len(profiles), "file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    replace_file(path, content)
    replace_file(card_path(path), text.encode())


def load_profiles(path: Path) -> tuple[JobProfile, ...]:
    """The profiles in ``path``.

    Raises `InvalidInstance`, naming the file, the job and the field, for
    anything that is not a whole, consistent profile file.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name: _member(archive, name) for name in _members()}
    except FileNotFoundError:
        raise InvalidInstance(f"profile file {path}: there is no such file") from None
    except _DAMAGE as error:
        raise InvalidInstance(f"profile file {path}: not a whole profile file ({_why(error)})") from error
    try:
        return _unpack(arrays)
    except InvalidInstance as error:
        raise InvalidInstance(f"profile file {path}: {error}") from error


def card_path(path: Path) -> Path:
    return path.with_suffix(".card.json")


def load_card(path: Path) -> dict[str, Any]:
    """The card of the profile file ``path``."""
    try:
        card = json.loads(card_path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidInstance(f"card {card_path(path)}: can't be read ({error})") from error
    if not isinstance(card, dict):
        raise InvalidInstance(f"card {card_path(path)}: not a JSON object")
    return card


def replace_file(path: Path, content: bytes) -> None:
    """Write all of `content` to ``path``, or leave what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _members() -> list[str]:
    return ["format", "name", "group", *_COUNTED, *(f"{field}_count" for field in _COUNTED)]


def _pack(profiles: Sequence[JobProfile]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(FORMAT),
        "name": np.array([p.name for p in profiles]),
        "group": np.array([p.group for p in profiles]),
    }
    for field in _COUNTED:
        parts = [_column(p, field) for p in profiles]
        arrays[field] = np.concatenate(parts)
        arrays[f"{field}_count"] = np.array([len(part) for part in parts])
    arrays["durations"] = _narrow(arrays["durations"])
    return arrays


def _column(profile: JobProfile, field: str) -> NDArray[Any]:
    values = getattr(profile, field)
    if values is None:
        return np.zeros(0, np.bool_ if field == "driver" else np.float64)
    return np.asarray(values).reshape(-1, *_TRAILING.get(field, ()))


def _narrow(durations: NDArray[np.float64]) -> NDArray[Any]:
    whole = durations.astype(np.uint32)
    return whole if np.array_equal(whole, durations) else durations


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array; the header's promise is compared with the bytes that are there before it is believed."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_BYTES:
        raise ValueError(f"{name} would take {info.file_size} bytes")
    stream = io.BytesIO(archive.read(info))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} has an unknown array format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biufU" or (fortran and len(shape) > 1):
        raise ValueError(f"{name} has the type {dtype}")
    values = np.frombuffer(stream.read(), dtype) if dtype.itemsize else np.zeros(shape, dtype)
    return values.reshape(shape)


def _unpack(arrays: Mapping[str, NDArray[Any]]) -> tuple[JobProfile, ...]:
    if arrays["format"].shape != () or arrays["format"] != FORMAT:
        raise InvalidInstance(f"field 'format' is {arrays['format']}, this trimtab reads {FORMAT}")
    names, groups = (_texts(arrays, field) for field in ("name", "group"))
    if not names:
        raise InvalidInstance("field 'name': there are no jobs in it")
    if len(groups) != len(names):
        raise InvalidInstance(f"field 'group' has {len(groups)} entries for {len(names)} jobs")
    columns = {field: _split(arrays, field, names) for field in _COUNTED}
    return tuple(
        _profile(name, group, {field: columns[field][job] for field in _COUNTED})
        for job, (name, group) in enumerate(zip(names, groups, strict=True))
    )


def _texts(arrays: Mapping[str, NDArray[Any]], field: str) -> list[str]:
    if arrays[field].dtype.kind != "U" or arrays[field].ndim != 1:
        raise InvalidInstance(f"field {field!r} is not a list of texts")
    return [str(text) for text in arrays[field]]


def _split(arrays: Mapping[str, NDArray[Any]], field: str, names: Sequence[str]) -> list[NDArray[Any]]:
    """A field's concatenated array, cut into one part for each job."""
    values, counts = arrays[field], arrays[f"{field}_count"]
    if values.dtype.kind not in _KINDS.get(field, "iu"):
        raise InvalidInstance(f"field {field!r} has the type {values.dtype}")
    if values.shape[1:] != _TRAILING.get(field, ()) or values.ndim == 0:
        raise InvalidInstance(f"field {field!r} has the shape {values.shape}")
    if counts.dtype.kind not in "iu" or counts.shape != (len(names),):
        raise InvalidInstance(f"field '{field}_count' has the shape {counts.shape} for {len(names)} jobs")
    negative = np.flatnonzero(counts < 0)
    if negative.size:
        raise InvalidInstance(f"job {names[negative[0]]!r}, field '{field}_count' is negative")
    ends = np.cumsum(counts.astype(object))  # Python integers: a hostile count can't wrap round
    if ends[-1] != len(values):
        over = next((name for name, end in zip(names, ends, strict=True) if end > len(values)), names[-1])
        raise InvalidInstance(f"job {over!r}, field {field!r}: {len(values)} entries, {ends[-1]} announced")
    return np.split(values, ends[:-1].astype(np.int64))


def _profile(name: str, group: str, fields: dict[str, NDArray[Any]]) -> JobProfile:
    stages, levels = len(fields["num_tasks"]), len(fields["levels"])
    if len(fields["offsets"]) != stages * levels:
        raise InvalidInstance(
            f"job {name!r}, field 'offsets': {len(fields['offsets'])} rows for {stages} stages x {levels} levels"
        )
    return JobProfile(
        name=name,
        group=group,
        num_tasks=fields["num_tasks"].astype(np.int64),
        edges=fields["edges"].astype(np.int64),
        levels=fields["levels"].astype(np.int64),
        durations=fields["durations"].astype(np.float64),
        offsets=fields["offsets"].astype(np.int64).reshape(stages, levels, 3, 2),
        measured_mean_ms=fields["measured_mean_ms"].astype(np.float64) if len(fields["measured_mean_ms"]) else None,
        driver=fields["driver"].astype(np.bool_) if len(fields["driver"]) else None,
    )


def _why(error: BaseException) -> str:
    return str(error).strip("'\"") or type(error).__name__
