# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import DataError
from trimtab.problems.block_throughput.workload.labelled import Labelled, read_labelled, write_labelled

SOME = Labelled(
    blocks=(b"\x48\x01\xc0", b"\x90", b"\x48\x8b\x00" * 300),
    cycles=np.array([1.0, 0.125, 1234.5]),
    application=("git", "git,gcc", "gcc"),
    frequency=np.array([3.0, 0.0, 1e9]),
    cpu="AuthenticAMD-26-2",
    notion="L",
    card={"command": "trimtab capture …", "spread": {"median": 0.001}},
)


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "new folder" / "a.npz"
    write_labelled(path, SOME)
    again = read_labelled(path)
    assert (again.blocks, again.application, again.cpu, again.notion, again.card) == (
        SOME.blocks,
        SOME.application,
        SOME.cpu,
        SOME.notion,
        SOME.card,
    )
    np.testing.assert_allclose(again.cycles, SOME.cycles, rtol=2e-4)
    np.testing.assert_allclose(again.frequency, SOME.frequency, rtol=2e-4)
    assert [file.name for file in path.parent.iterdir()] == ["a.npz"]


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=20))
def test_values_keep_four_digits(tmp_path_factory: pytest.TempPathFactory, values: list[float]):
    path = tmp_path_factory.getbasetemp() / "digits.npz"
    count = len(values)
    write_labelled(path, Labelled((b"\x90",) * count, np.array(values), ("a",) * count, np.ones(count), "x"))
    np.testing.assert_allclose(read_labelled(path).cycles, values, rtol=1.3e-4)


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path):
    bad = Labelled((b"\x90",), np.array([np.nan]), ("a",), np.ones(1), "x")
    with pytest.raises(DataError, match="cycles"):
        write_labelled(tmp_path / "a.npz", bad)
    assert not list(tmp_path.iterdir())


def rewrite(path: Path, **changes: Any) -> None:
    with np.load(path) as old:
        arrays = {name: old[name] for name in old.files}
    head = json.loads(arrays["card"].tobytes())
    for name, change in changes.items():
        if name in arrays:
            arrays[name] = change
        else:
            head[name] = change
    if "card" not in changes:
        arrays["card"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format"),
        ({"cpu": ""}, "CPU"),
        ({"notion": "X"}, "notion"),
        ({"applications": ["git"]}, "not named"),
        ({"applications": [1, 2]}, "applications"),
        ({"size": np.array([3, 1], np.uint16)}, "one length"),
        ({"size": np.array([3, 1, 0], np.uint16)}, "add up"),
        ({"size": np.array([3, 1, 901], np.uint16)}, "add up"),
        ({"size": np.array([[3, 1, 900]], np.uint16)}, "one length"),
        ({"cycles": np.array([1, -1, 1], np.float32)}, "cycles"),
        ({"cycles": np.array([1, np.inf, 1], np.float32)}, "cycles"),
        ({"cycles": np.array(["a", "b", "c"])}, "types"),
        ({"frequency": np.array([1, -1, 1], np.float32)}, "frequencies"),
        ({"code": None}, "its arrays are"),
        ({"card": np.frombuffer(b"[1, 2", np.uint8)}, "not a set of labels"),
        ({"card": np.frombuffer(b"[1, 2]", np.uint8)}, "format"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], words: str):
    path = tmp_path / "a.npz"
    write_labelled(path, SOME)
    rewrite(path, **changes)
    with pytest.raises(DataError, match=words):
        read_labelled(path)


def test_pickles_and_bombs_are_refused(tmp_path: Path):
    np.savez(
        tmp_path / "p.npz",
        **{name: np.array([{}], object) for name in ("code", "size", "cycles", "application", "frequency", "card")},
    )  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not a set of labels"):
        read_labelled(tmp_path / "p.npz")
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("code.npy", "w") as member,
    ):
        for _ in range(1100):
            member.write(bytes(1 << 20))
    with pytest.raises(DataError, match="when unpacked"):
        read_labelled(tmp_path / "b.npz")


def test_any_damage_is_refused_in_words(tmp_path: Path):
    path = tmp_path / "a.npz"
    write_labelled(path, SOME)
    data = path.read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        broken = bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path.write_bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])])
        try:
            read_labelled(path)
        except DataError:
            continue
    with pytest.raises(DataError, match="No such file"):
        read_labelled(tmp_path / "none.npz")
