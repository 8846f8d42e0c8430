# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.core.errors import DataError, TrimtabError
from trimtab.core.outcome import Run
from trimtab.core.task import Budget
from trimtab.study.ledger import Writer, cell_key, compact, encode, flatten, read

RUN = Run(
    key="k0",
    problem="p",
    version="1",
    backend="simulator",
    split="test",
    instance='odd "name"\n\u2028',
    solver="s",
    seed=3,
    status="ok",
    track="search",
    metrics={"time": 0.1},
    anytime=((1, 2.0), (5, 0.1)),
)


def write(folder: Path, *runs: Run) -> Path:
    with Writer(folder) as ledger:
        for run in runs:
            ledger.write(run)
    return max((folder / "cells").iterdir())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, RUN, replace(RUN, key="k1", metrics={}))
    assert read(tmp_path) == {"k0": RUN, "k1": replace(RUN, key="k1", metrics={})}


def test_no_folder_no_file_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}
    with Writer(None) as ledger:
        ledger.write(RUN)
    with Writer(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_row_is_on_file_before_the_next_cell(tmp_path: Path) -> None:
    with Writer(tmp_path) as ledger:
        ledger.write(RUN)
        assert read(tmp_path) == {"k0": RUN}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 10_000))
def test_cut_anywhere_only_the_last_line_is_lost(tmp_path: Path, cut: int) -> None:
    whole = b"".join(encode(replace(RUN, key=f"k{i}")) + b"\n" for i in range(4))
    kept = whole[: cut % len(whole)]
    (tmp_path / "cells").mkdir(exist_ok=True)
    (tmp_path / "cells" / "worker.jsonl").write_bytes(kept)
    complete = kept.count(b"\n")
    found = list(read(tmp_path))
    assert found[:complete] == [f"k{i}" for i in range(complete)]
    assert len(found) <= complete + 1  # the last may be whole but for its newline


def test_a_broken_line_elsewhere_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, RUN, RUN, RUN)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"key": "x"}\n' + lines[2])
    with pytest.raises(DataError, match=rf"{path.name}, line 2: not a row of a ledger .*Remove the line"):
        read(tmp_path)
    path.write_bytes(lines[0].replace(b'"ok"', b'"fine"') + lines[1])
    with pytest.raises(DataError, match=r"line 1: .*fine"):
        read(tmp_path)


def test_a_finished_run_beats_a_failed_attempt_before_or_after(tmp_path: Path) -> None:
    failed, unavailable = replace(RUN, status="failed"), replace(RUN, status="unavailable")
    write(tmp_path, failed)
    assert read(tmp_path)["k0"].status == "failed"
    write(tmp_path, RUN)
    write(tmp_path, unavailable)
    assert read(tmp_path)["k0"].status == "ok"


def test_writers_in_one_process_and_in_several_have_files_of_their_own(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from study.test_ledger import RUN, write; "
        "write(Path(sys.argv[1]), *[RUN] * 500)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], env=environment) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    write(tmp_path, RUN)
    write(tmp_path, RUN)
    files = list((tmp_path / "cells").iterdir())
    assert len(files) == 5
    assert sum(len(file.read_bytes().splitlines()) for file in files) == 1502


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("a file where the folder should be")
    with pytest.raises(TrimtabError, match=r"cells: the ledger can't be written"):
        write(tmp_path, RUN)


def test_cell_keys_differ_in_every_part() -> None:
    base = ("p", "1", "f", "b", "s", Budget(), 0)
    changes = [
        *(("q", 0), ("2", 1), ("g", 2), ("c", 3), ("t", 4), (Budget(5), 5), (Budget(5.5), 5), (Budget(seconds=5), 5)),
        (1, 6),
    ]
    keys = {cell_key(*base)}
    for value, place in changes:
        keys.add(cell_key(*base[:place], value, *base[place + 1 :]))  # type: ignore[arg-type]
    assert len(keys) == 1 + len(changes)


def test_an_integral_budget_is_the_same_however_it_is_written() -> None:
    assert cell_key("p", "1", "f", "b", "s", Budget(5), 0) == cell_key("p", "1", "f", "b", "s", Budget(5.0), 0)


def test_compacted_to_parquet_it_is_one_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path, RUN, replace(RUN, key="k1", metrics={"rate": 2.0}, anytime=()))
    table = parquet.read_table(compact(tmp_path)).to_pylist()
    assert [row["key"] for row in table] == ["k0", "k1"]
    assert [(row["metrics.time"], row["metrics.rate"]) for row in table] == [(0.1, None), (None, 2.0)]
    assert table[0]["anytime"] == [[1.0, 2.0], [5.0, 0.1]]
    assert read(tmp_path)["k0"] == RUN


def test_a_flat_row_has_a_column_per_metric() -> None:
    assert flatten(RUN)["metrics.time"] == 0.1
    assert "metrics" not in flatten(RUN)
