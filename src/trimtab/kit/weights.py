# SPDX-License-Identifier: Apache-2.0
"""Trained weights as .safetensors files that say where they come from.

A weights file holds named arrays and one *card*: the command, seed, data
fingerprints and metrics of the training, as JSON. Reading one needs neither
torch nor pickle, and trusts nothing in it: names, shapes, types and values are
checked against what the caller expects.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError
from trimtab.core.extras import need

Arrays = Mapping[str, NDArray[np.float32]]
Shapes = Mapping[str, tuple[int, ...]]

_HEADER_BYTES = 1 << 20  # more than any card needs


class Carded:
    """What a trained solver says of itself by its card: the part of `Solver` that all share."""

    card: Mapping[str, Any]

    @property
    def trained_on(self) -> frozenset[str]:
        """Fingerprints of the instances that it learnt from."""
        return frozenset(self.card.get("trained_on", ()))

    @property
    def fit_s(self) -> float:
        """CPU seconds of training."""
        return float(self.card.get("cpu_s", 0.0))


class CardedWeights(Carded):
    """A trained solver that is its weights and their card."""

    weights: Arrays

    def save(self, path: Path) -> None:
        save_weights(path, self.weights, self.card)


def save_weights(path: Path, arrays: Arrays, card: Mapping[str, Any]) -> None:
    """Write float32 arrays and their card; the old file survives any failure."""
    numpy_api = need("safetensors.numpy", extra="fast", purpose="saving weights")
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    payload = numpy_api.save(tensors, metadata={"card": json.dumps(card, sort_keys=True, allow_nan=False)})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_weights(path: Path, shapes: Shapes) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """The arrays of a weights file, exactly those of `shapes`, and its card.

    Raises `DataError` where the file is not what `shapes` says: too large, not
    safetensors, an array too many or too few, another shape or type, a NaN.
    """
    need("safetensors", extra="fast", purpose="reading weights")
    payload = _read(path, limit=_HEADER_BYTES + 4 * sum(int(np.prod(shape)) for shape in shapes.values()))
    card = _card(path, payload)
    arrays = _arrays(path, payload)
    if set(arrays) != set(shapes):
        odd = sorted(set(arrays) ^ set(shapes))
        raise DataError(f"weights file {path}: expected {len(shapes)} arrays; {odd[0]!r} is missing or unknown")
    for name, shape in shapes.items():
        _check(path, name, arrays[name], shape)
    return arrays, card


def read_card(path: Path) -> dict[str, Any]:
    """The card alone: what the shapes of a file's arrays depend on may stand in it."""
    try:
        with path.open("rb") as file:
            head = file.read(8 + _HEADER_BYTES)
    except OSError as error:
        raise DataError(f"weights file {path} can't be read: {error.strerror}") from error
    return _card(path, head)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            payload = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"weights file {path} can't be read: {error.strerror}") from error
    if len(payload) > limit:
        raise DataError(f"weights file {path} is larger than {limit} bytes: not the weights of this solver")
    return payload


def _card(path: Path, payload: bytes) -> dict[str, Any]:
    try:
        size = int.from_bytes(payload[:8], "little")
        if size > _HEADER_BYTES:
            raise ValueError(f"its header claims {size} bytes")
        card = json.loads(json.loads(payload[8 : 8 + size])["__metadata__"]["card"])
        if not isinstance(card, dict):
            raise TypeError("its card is not a JSON object")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"weights file {path} has no readable card: {error}") from error
    return card


def _arrays(path: Path, payload: bytes) -> dict[str, NDArray[np.float32]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(payload))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"weights file {path} is not a safetensors file: {error}") from error


def _check(path: Path, name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32 or array.shape != shape:
        found, expected = f"{array.dtype}{list(array.shape)}", f"float32{list(shape)}"
        raise DataError(f"weights file {path}, array {name!r}: {found}, expected {expected}")
    if not np.isfinite(array).all():
        raise DataError(f"weights file {path}, array {name!r}: a value is NaN or infinite")
