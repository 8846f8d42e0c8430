# SPDX-License-Identifier: Apache-2.0
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.problems.runtime_tuning.problem import Constraint, Objective
from trimtab.problems.runtime_tuning.simulator import Row, Table
from trimtab.problems.runtime_tuning.space import KnobSpace

from ..spaces import MIXED, spaces

ROW = Row(tuple(MIXED.default[k.name] for k in MIXED.knobs), "ok", -0.25, {"rss": 1.5e8})
TABLE = Table(
    "t", MIXED, Objective(constraints=(Constraint("rss", 2e8),)), (ROW, Row(ROW.v, "crash")), {"date": "today"}
)


@given(space=spaces(), seed=st.integers(0, 99))
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, space: KnobSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = tuple(Row(tuple(space.draw(rng).values()), "ok", float(rng.normal())) for _ in range(3))
    path = tmp_path_factory.mktemp("t") / "t.jsonl.xz"
    Table("t", space, Objective(), rows).save(path)
    assert Table.load(path) == Table("t", space, Objective(), rows)


def test_conditions_clauses_constraints_and_origin_are_kept(tmp_path: Path) -> None:
    TABLE.save(tmp_path / "t.jsonl.xz")
    assert Table.load(tmp_path / "t.jsonl.xz") == TABLE
    assert [p.name for p in tmp_path.iterdir()] == ["t.jsonl.xz"]


def _packed(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "t.jsonl.xz"
    path.write_bytes(lzma.compress("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines).encode()))
    return path


HEADER = {
    "format": "trimtab-knob-table/1",
    "name": "t",
    "space": {"knobs": [{"name": "x", "kind": "int", "default": 1, "low": 1, "high": 9}]},
}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "not a table"),
        (({"format": "other"},), "not a table"),
        (("[1]",), "not a table"),
        (("{",), "t.jsonl.xz"),
        (({"format": HEADER["format"]},), "space"),
        ((HEADER, {"v": [1], "s": "ok"}), "needs a finite loss"),
        ((HEADER, {"v": [10], "s": "ok", "l": 0.0}), "knob 'x' can't be 10"),
        ((HEADER, {"v": [True], "s": "ok", "l": 0.0}), "knob 'x' can't be True"),
        ((HEADER, {"v": [1, 2], "s": "ok", "l": 0.0}), "2 values for 1 knobs"),
        ((HEADER, {"v": [1], "s": "fine", "l": 0.0}), "fine"),
        (({**HEADER, "space": {"knobs": [{**HEADER["space"]["knobs"][0], "low": 20}]}},), "low < high"),  # type: ignore[index]
        (({**HEADER, "space": {"knobs": []}},), "one knob or more"),
    ],
)
def test_bad_tables_are_refused_with_their_name(tmp_path: Path, lines: tuple[object, ...], said: str) -> None:
    path = _packed(tmp_path, *lines)
    with pytest.raises(InvalidInstance) as error:
        Table.load(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_files_that_are_no_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.xz"
    with pytest.raises(InvalidInstance):
        Table.load(path)
    path.write_bytes(b"hello")
    with pytest.raises(InvalidInstance):
        Table.load(path)
    TABLE.save(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InvalidInstance, match="cut off"):
        Table.load(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.xz"
    path.write_bytes(lzma.compress(bytes(65 << 20), preset=0))
    with pytest.raises(InvalidInstance, match="more than 64 MiB"):
        Table.load(path)
