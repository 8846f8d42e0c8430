# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.core.fingerprint import fingerprint
from trimtab.problems.join_ordering.problem import Cardinalities, Relation
from trimtab.problems.join_ordering.workload import load_queries, parse, save_queries
from trimtab.problems.join_ordering.workload.files import dumps, loads

from ..queries import SHAPES, random_query


@given(st.sampled_from(SHAPES), st.integers(1, 6), st.integers(0, 10**6), st.booleans(), st.text(max_size=8))
def test_a_line_is_its_query_and_back(shape: str, n: int, seed: int, estimates: bool, text: str) -> None:
    query = replace(random_query(shape, n, seed), name=text, sql=text, template=text, cost_model="cm2")
    first = Relation("r0", text, 5.5, (text, "x > 1"), 8.0)
    query = replace(query, relations=(first, *query.relations[1:]))
    if estimates:
        query = replace(query, estimates=Cardinalities.of({1: 0.25, 2: 3.0} if n > 1 else {1: 0.1}, text, 2, [1]))
    assert fingerprint(loads(dumps(query), "here")) == fingerprint(query)


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.xz"])
def test_files_hold_queries_by_name(name: str, tmp_path: Path) -> None:
    queries = [replace(random_query("chain", 3, k), name=f"q{k}") for k in range(3)]
    save_queries(tmp_path / name, queries)
    assert list(load_queries(tmp_path / name)) == ["q0", "q1", "q2"]
    assert [fingerprint(q) for q in parse([tmp_path / name]).values()] == [fingerprint(q) for q in queries]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _with(change: Callable[[dict[str, Any]], Any]) -> str:
    row = json.loads(dumps(random_query("chain", 3, 0)))
    change(row)
    return json.dumps(row)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not a query"),
        ("[]", "not a query"),
        ("null", "not a query"),
        ("[" * 100_000, "not a query"),
        (_with(lambda row: row.pop("edges")), "'edges' is missing"),
        (_with(lambda row: row.update(name=3)), "3 is no text"),
        (_with(lambda row: row["relations"][0].update(rows="many")), "'many' is no float"),
        (_with(lambda row: row["relations"][0].update(password="x")), "no field 'password'"),
        (_with(lambda row: row["edges"][0].update(left=7)), "joins no two"),
        (_with(lambda row: row["edges"][0].update(left_key=1)), "1 is no bool"),
        (_with(lambda row: row.update(edges=[])), "cross product"),
        (_with(lambda row: row["cardinalities"].update(rows=[1.0])), "differ in length"),
        (_with(lambda row: row["cardinalities"]["rows"].__setitem__(0, -4)), "-4.0 rows"),
        (_with(lambda row: row["cardinalities"]["subsets"].__setitem__(0, 1 << 70)), "not a query"),
        (_with(lambda row: row["cardinalities"].update(kinds=9)), "none of"),
    ],
)
def test_nonsense_is_named_with_its_place(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(dumps(random_query("chain", 2, 0)) + "\n" + line + "\n")
    with pytest.raises(InvalidInstance, match=message) as caught:
        load_queries(path)
    assert "q.jsonl, line 2" in str(caught.value)


def test_two_queries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text((dumps(random_query("chain", 2, 0)) + "\n") * 2)
    with pytest.raises(InvalidInstance, match="second query has the name 'q'"):
        load_queries(path)


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("q.jsonl.xz", b"no xz", "not an xz file"),
        ("q.jsonl.xz", lzma.compress(b"x" * 1000)[:-20], "cut short"),
        ("q.jsonl", b"\xff\xfe", "not text"),
    ],
)
def test_files_that_are_no_text(name: str, payload: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(payload)
    with pytest.raises(InvalidInstance, match=message):
        load_queries(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl.xz"
    packer = lzma.LZMACompressor()
    with path.open("wb") as file:
        for _ in range(257):
            file.write(packer.compress(b" " * (1 << 20)))
        file.write(packer.flush())
    with pytest.raises(InvalidInstance, match="longer than 256 MiB"):
        load_queries(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    save_queries(path, [random_query("chain", 2, 0)])
    before = path.read_bytes()
    endless = (Relation("r0", "t", float("inf")), Relation("r1", "t"))
    with pytest.raises(ValueError, match="Out of range"):
        save_queries(path, [replace(random_query("chain", 2, 0), relations=endless)])
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
