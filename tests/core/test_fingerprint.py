# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import enum
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import UsageError
from trimtab.core.fingerprint import fingerprint, fingerprints


@dataclass(frozen=True)
class Point:
    x: float
    y: Any = None
    cache: list[int] = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class Other:
    x: float
    y: Any = None


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def canonical(value: Any) -> Any:
    """Equal exactly where two values should have the same fingerprint: type and contents, signed zero and all."""
    if isinstance(value, dict):
        return ("map", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("list", tuple(canonical(item) for item in value))
    return (type(value).__name__, value.hex() if isinstance(value, float) else value)


@given(plain, plain)
def test_equal_exactly_when_the_contents_are(a: Any, b: Any) -> None:
    assert (fingerprint(a) == fingerprint(b)) == (canonical(a) == canonical(b))


@given(st.lists(st.text(), min_size=1))
def test_neither_the_order_of_a_mapping_nor_of_a_set_counts(keys: list[str]) -> None:
    mapping = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    assert fingerprint(mapping) == fingerprint(dict(reversed(mapping.items())))
    assert fingerprint(set(keys)) == fingerprint(frozenset(reversed(keys)))


def test_is_the_same_in_another_process_and_for_ever() -> None:
    made = "fingerprint({'a': np.arange(3), 'b': (1.5, None, 'x'), 'c': {'q', 'p'}})"
    program = f"import numpy as np; from trimtab.core.fingerprint import fingerprint; print({made})"
    command = [sys.executable, "-c", program]
    printed = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {fingerprint({"a": np.arange(3), "b": (1.5, None, "x"), "c": {"q", "p"}})}
    assert printed == {"86f3ca7d33bff197098f55f482d92975"}  # a change here makes every ledger start anew


def test_what_makes_a_difference() -> None:
    values: list[Any] = [
        *(
            0,
            0.0,
            -0.0,
            False,
            None,
            "",
            b"",
            "0",
            [],
            {},
            set(),
            Point(1),
            Point(2),
            Other(1),
            Colour.RED,
            Colour.BLUE,
        ),
        *(np.zeros(2), np.zeros(3), np.zeros((2, 1)), np.zeros(2, np.float32), np.zeros(2, np.int64)),
        *([1, [2]], [1, 2], [[1], 2], ["ab", "c"], ["a", "bc"], {"a": 1}, {"a": 2}, {"b": 1}, Point(1, Point(1))),
    ]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_what_makes_none() -> None:
    array = np.arange(12).reshape(3, 4)
    assert fingerprint(array) == fingerprint(np.asfortranarray(array)) == fingerprint(array.astype(">i8"))
    assert fingerprint(array[:, ::2]) == fingerprint(array[:, ::2].copy())
    assert fingerprint(np.float64(0.1)) == fingerprint(0.1)
    assert fingerprint((1, 2)) == fingerprint([1, 2])
    assert fingerprint(Point(1, cache=[1])) == fingerprint(Point(1, cache=[2]))


def test_arrays_of_objects_count_by_their_items() -> None:
    assert fingerprint(np.array(["a", None], object)) == fingerprint(np.array(["a", None], object))
    assert fingerprint(np.array(["a", None], object)) != fingerprint(np.array(["b", None], object))


def test_a_path_counts_by_the_bytes_of_its_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x")
    two.write_bytes(b"x")
    assert fingerprint(one) == fingerprint(two)
    two.write_bytes(b"y")
    assert fingerprint(one) != fingerprint(two)


def test_what_has_none_is_named_by_its_place() -> None:
    with pytest.raises(UsageError, match=r"Point\.y\['f'\]: a function has no fingerprint"):
        fingerprint(Point(1, {"f": test_what_has_none_is_named_by_its_place}))


def test_shared_parts_are_hashed_once() -> None:
    big = np.zeros(4_000_000)
    values = {f"v{i}": Point(i, big) for i in range(200)}
    started = time.process_time()
    together = fingerprints(values)
    assert time.process_time() - started < 5  # 6.4 GB of arrays would take longer
    assert together["v7"] == fingerprint(values["v7"])
    assert len(set(together.values())) == 200
