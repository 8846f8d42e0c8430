# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import lzma
import math
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import DataError, MissingData
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.datasets import DATASETS
from trimtab.problems.runtime_tuning.workload import SUITES, public

XZ_ROW = [{"lc": 3, "lp": 0, "pb": 0, "dict": 16, "mode": 2, "nice": 36, "mf": "bt2", "depth": 418}, 14492, 0.0138]


def written(path: Path, rows: list[Any]) -> Path:
    path.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def read(path: Path) -> Any:
    return public.read(path, "xz", public.XZ, lambda row: math.log(row[1]) + 0.15 * math.log(row[2]))


def test_a_small_file(tmp_path: Path):
    other = [{**XZ_ROW[0], "lc": 1}, 2 * XZ_ROW[1], XZ_ROW[2]]  # type: ignore[dict-item, operator]
    table = read(written(tmp_path / "x.jsonl.xz", [XZ_ROW, other]))
    assert [row.v[0] for row in table.rows] == [3, 1]
    losses = [row.l for row in table.rows]
    assert losses[1] - losses[0] == pytest.approx(math.log(2), abs=2e-4)  # type: ignore[operator]


@pytest.mark.parametrize(
    "row",
    [
        [{**XZ_ROW[0], "lc": 9}, 1, 1.0],  # type: ignore[dict-item]
        [{"lc": 3}, 1, 1.0],
        [XZ_ROW[0], 0, 1.0],
        [XZ_ROW[0], "many", 1.0],
        [XZ_ROW[0]],
        5,
    ],
)
def test_a_line_that_is_wrong_is_named(row: object, tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.jsonl\.xz, line 2: not a measured configuration"):
        read(written(tmp_path / "x.jsonl.xz", [XZ_ROW, row]))


def test_files_that_are_something_else(tmp_path: Path):
    path = tmp_path / "x.jsonl.xz"
    path.write_bytes(b"not xz at all")
    with pytest.raises(DataError, match=r"x\.jsonl\.xz"):
        read(path)
    path.write_bytes(lzma.compress(b"[" * 100_000))
    with pytest.raises(DataError, match="line 1"):
        read(path)
    whole = written(path, [XZ_ROW] * 200).read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(DataError, match="cut off"):
        read(path)


def test_what_is_not_here_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path))
    with pytest.raises(MissingData, match="knob-measurements"):
        public.xz()


def test_the_public_tables(public_data: Path):
    xz, sqlite = public.xz(), public.sqlite()
    assert len(xz.rows) == len(sqlite.rows) == 1500
    assert len({row.v for row in xz.rows}) > 1490
    assert any(xz.values(row)["lc"] + xz.values(row)["lp"] > 4 for row in xz.rows)  # type: ignore[operator]  # LZMA1 takes it
    assert max(row.l or 0.0 for row in sqlite.rows) - min(row.l or 0.0 for row in sqlite.rows) > math.log(10)
    assert [list(SUITES["public"](split)) for split in SPLITS] == [["xz", "sqlite"], [], []]


def test_the_cards_tell_size_and_licence():
    (card,) = DATASETS
    assert card.licence == "Apache-2.0"
    assert {file.name for file in card.files} == {"xz_knobs_1500.jsonl.xz", "sqlite_knobs_1500.jsonl.xz"}
