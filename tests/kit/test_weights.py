# SPDX-License-Identifier: Apache-2.0
"""Weights files: the round trip, and files that are not what they should be."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("safetensors")

from trimtab.core.errors import DataError
from trimtab.kit.weights import load_weights, read_card, save_weights

SHAPES = {"a.weight": (2, 3), "a.bias": (3,)}
ARRAYS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.ones(3, np.float32)}


def raw(header: Any, data: bytes) -> bytes:
    """The format by hand: length, JSON header, little-endian values."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "w.safetensors"
    save_weights(path, ARRAYS, {"seed": 3, "trained_on": ["x"]})
    arrays, card = load_weights(path, SHAPES)
    assert card == {"seed": 3, "trained_on": ["x"]}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file is left


def test_the_card_alone_is_read_before_the_shapes_are_known(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, ARRAYS, {"words": ["a", "b"]})
    assert read_card(path) == {"words": ["a", "b"]}
    path.write_bytes(path.read_bytes()[:-4])  # an array cut short is for load_weights to see
    assert read_card(path) == {"words": ["a", "b"]}
    for content in (b"", b"\xff" * 40, raw({}, b"")):
        path.write_bytes(content)
        with pytest.raises(DataError, match="no readable card"):
            read_card(path)
    with pytest.raises(DataError, match="can't be read"):
        read_card(tmp_path / "none")


def test_reads_what_others_write_by_the_format(tmp_path: Path) -> None:
    path = tmp_path / "w"
    header = {"__metadata__": {"card": "{}"}, "b": entry([2], 0, 8)}
    path.write_bytes(raw(header, struct.pack("<2f", 1.5, -2)))
    arrays, card = load_weights(path, {"b": (2,)})
    assert arrays["b"].tolist() == [1.5, -2]
    assert card == {}


def test_an_old_file_survives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "w"
    save_weights(path, ARRAYS, {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_weights(path, ARRAYS, {"loss": float("nan")})
    assert path.read_bytes() == before


META = {"__metadata__": {"card": "{}"}}
HOSTILE = {
    "empty": b"",
    "header longer than the file": struct.pack("<Q", 1 << 60) + b"{}",
    "header cut": struct.pack("<Q", 100) + b"{",
    "not JSON": struct.pack("<Q", 4) + b"\xff\xfe{}",
    "nested a million deep": struct.pack("<Q", 300_000) + b"[" * 300_000,
    "no card": raw({"b": entry([2], 0, 8)}, bytes(8)),
    "card is a list": raw({"__metadata__": {"card": "[]"}, "b": entry([2], 0, 8)}, bytes(8)),
    "data cut": raw({**META, "b": entry([2], 0, 8)}, bytes(4)),
    "offsets beyond the data": raw({**META, "b": entry([2], 0, 800)}, bytes(8)),
    "negative offset": raw({**META, "b": entry([2], -8, 0)}, bytes(8)),
    "shape says more than the data": raw({**META, "b": entry([1 << 40], 0, 8)}, bytes(8)),
    "other shape": raw({**META, "b": entry([1, 2], 0, 8)}, bytes(8)),
    "other type": raw({**META, "b": entry([2], 0, 16, "F64")}, bytes(16)),
    "unknown type": raw({**META, "b": entry([2], 0, 8, "O32")}, bytes(8)),
    "another name": raw({**META, "c": entry([2], 0, 8)}, bytes(8)),
    "NaN": raw({**META, "b": entry([2], 0, 8)}, struct.pack("<2f", 1, float("nan"))),
    "infinite": raw({**META, "b": entry([2], 0, 8)}, struct.pack("<2f", 1, float("inf"))),
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    "two megabytes more": raw({**META, "b": entry([2], 0, 8)}, bytes(8)) + bytes(2 << 20),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_its_name(tmp_path: Path, case: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(HOSTILE[case])
    with pytest.raises(DataError, match=r"w\.safetensors"):
        load_weights(path, {"b": (2,)})


def test_a_missing_file_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_weights(tmp_path / "absent", SHAPES)


def test_the_card_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, ARRAYS, {"points": 3})
    assert read_card(path) == {"points": 3}
    with pytest.raises(DataError, match="can't be read"):
        read_card(tmp_path / "nothing")
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(DataError, match="no readable card"):
        read_card(path)
