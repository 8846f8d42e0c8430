# SPDX-License-Identifier: Apache-2.0
"""Graphs in files: a compressed ``.npz`` without pickles, with or without a topology. Reading trusts nothing."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance

from ..problem import DeviceTopology, OpGraph

FORMAT: Final = 1
MAX_BYTES: Final = 1 << 28  # unpacked
_DAMAGE: Final = (
    OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
_TEXTS: Final = ("op_name", "op_type", "device_types", "device_name", "device_type")


def save(path: Path, graph: OpGraph, topology: DeviceTopology | None, card: Mapping[str, Any]) -> None:
    """Write a graph; it appears whole or not at all. `card` says where it comes from."""
    if path.suffix != ".npz":
        raise InvalidInstance(f"graph file {path}: its name must end in .npz")
    arrays: dict[str, NDArray[Any]] = {"format": np.array(FORMAT), "card": _text(json.dumps(dict(card)))}
    arrays |= {f"graph_{name}": _array(getattr(graph, name), name) for name in _names(OpGraph)}
    if topology is not None:
        arrays |= {f"topology_{name}": _array(getattr(topology, name), name) for name in _names(DeviceTopology)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> tuple[OpGraph, DeviceTopology | None, dict[str, Any]]:
    """(graph, topology, card); raises `InvalidInstance` for anything that is not a whole, consistent graph file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
            arrays = {info.filename.removesuffix(".npy"): _member(archive, info) for info in archive.infolist()}
        if arrays["format"] != FORMAT:
            raise ValueError(f"format {arrays['format']}, this trimtab reads {FORMAT}")
        graph = OpGraph(**{name: _value(arrays[f"graph_{name}"], name) for name in _names(OpGraph)})
        topology = None
        if any(name.startswith("topology_") for name in arrays):
            topology = DeviceTopology(
                **{name: _value(arrays[f"topology_{name}"], name) for name in _names(DeviceTopology)}
            )
        card = json.loads(str(_value(arrays["card"], "card")))
    except FileNotFoundError:
        raise InvalidInstance(f"graph file {path}: there is no such file") from None
    except InvalidInstance as error:
        raise InvalidInstance(f"graph file {path}: {error}") from error
    except _DAMAGE as error:
        raise InvalidInstance(f"graph file {path}: not a whole graph file ({error})") from error
    except (TypeError, AttributeError, IndexError) as error:  # arrays of other shapes than the fields
        raise InvalidInstance(f"graph file {path}: a field has another shape than it should ({error})") from error
    return graph, topology, card if isinstance(card, dict) else {}


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _array(value: Any, name: str) -> NDArray[Any]:
    """Text as UTF-8 bytes, lists of text joined by line ends; small integers and exact float32 narrowed."""
    if isinstance(value, str):
        return _text(value)
    if name in _TEXTS:
        return _text("\n".join(text.replace("\n", " ") for text in value))
    array = np.asarray(value)
    if array.dtype == np.int64 and array.size and np.abs(array).max() < 1 << 31:
        return array.astype(np.int32)
    return array


def _text(value: str) -> NDArray[Any]:
    return np.frombuffer(value.encode(), np.uint8)


def _value(array: NDArray[Any], name: str) -> Any:
    if name in (*_TEXTS, "name", "family", "links", "queue", "card"):
        if array.dtype != np.uint8 or array.ndim != 1:
            raise ValueError(f"{name} is not a text")
        text = array.tobytes().decode()
        return tuple(text.split("\n")) if name in _TEXTS else text
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} has the type {array.dtype}")
    if array.ndim == 0:
        return float(array)
    if array.dtype.kind == "b":
        return array
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; its header is compared with the bytes that are there before it is believed."""
    stream = io.BytesIO(archive.read(info))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{info.filename} has an unknown array format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or (fortran and len(shape) > 1):
        raise ValueError(f"{info.filename} has the type {dtype}")
    return np.frombuffer(stream.read(), dtype).reshape(shape)
