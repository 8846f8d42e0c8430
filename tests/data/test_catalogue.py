# SPDX-License-Identifier: Apache-2.0
"""What is registered, and cards that can't be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hostile import make_file

from trimtab.core import registry
from trimtab.core.errors import DataError
from trimtab.data import catalogue, get_dataset, list_datasets, locate, verify


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder on the path; its modules `good`, `bad` and `plain` are registered."""
    entries = {
        registry.GROUP: [EntryPoint("plain", "plain:PROBLEM", registry.GROUP)],
        catalogue.GROUP: [EntryPoint(name, f"{name}:DATASETS", catalogue.GROUP) for name in ("bad", "good")],
    }
    (tmp_path / "plain.py").write_text("PROBLEM = None\n")
    (tmp_path / "bad.py").write_text("raise RuntimeError('bad day')\n")
    card = "from trimtab.data.leaderboard import DATASETS as known\nDATASETS = known\n"
    (tmp_path / "good.py").write_text(card)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalogue, "entry_points", lambda group: entries[group])
    catalogue._catalogue.cache_clear()
    yield tmp_path
    catalogue._catalogue.cache_clear()
    for name in ("good", "bad", "plain"):
        sys.modules.pop(name, None)


def test_the_built_in_data_sets_are_found_like_anybody_s() -> None:
    names = [dataset.name for dataset in list_datasets()]
    assert names == sorted(names)
    assert {"alibaba-2018-half-hour", "alibaba-2018-hour", "compilergym-leaderboard", "decima-tpch"} <= set(names)


def test_listing_imports_nothing_heavy() -> None:
    code = "import sys, trimtab.data as d; d.list_datasets(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"trimtab.problems.cluster_scheduling.datasets", "trimtab.data.leaderboard"} <= set(loaded)
    assert not {"torch", "numba", "scipy", "pyarrow", "matplotlib", "urllib.request"} & set(loaded)


def test_one_broken_plugin_hides_nobody_s_data(plugins: Path) -> None:
    with pytest.warns(RuntimeWarning, match="bad:DATASETS can't be listed: bad day"):
        names = [dataset.name for dataset in list_datasets()]
    assert names == ["compilergym-leaderboard"]


def test_two_data_sets_of_one_name_are_refused(plugins: Path) -> None:
    (plugins / "bad.py").write_text(
        "from dataclasses import replace\nfrom good import DATASETS as known\n"
        "DATASETS = (replace(known[0], version='2'),)\n"
    )
    with pytest.raises(DataError, match="two data sets are named 'compilergym-leaderboard'"):
        list_datasets()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../up"),
        ("name", "/root"),
        ("name", ".hidden"),
        ("name", ""),
        ("sha256", "0" * 63),
        ("sha256", "G" * 64),
        ("size", -1),
        ("sources", ("file:///etc/passwd",)),
        ("sources", ("ftp://example.org/x",)),
    ],
)
def test_a_bad_file_is_refused(field: str, value: object) -> None:
    with pytest.raises(DataError, match="data file"):
        replace(make_file(), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "Up/down"), ("version", "../1"), ("files", ()), ("files", (make_file(), make_file()))],
)
def test_a_bad_card_is_refused(field: str, value: object) -> None:
    with pytest.raises(DataError, match="data set"):
        replace(get_dataset("decima-tpch"), **{field: value})


def test_the_public_files_are_what_their_cards_say(public_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_DATA", str(public_data))
    for dataset in list_datasets():
        for file, found in zip(dataset.files, verify(dataset.name), strict=True):
            assert found.status == "ok" or (found.status == "missing" and len(file.sources) >= 2)


def test_the_columns_of_the_cards_are_those_of_the_files(public_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'trimtab[tables]'")
    monkeypatch.setenv("TRIMTAB_DATA", str(public_data))
    for dataset in list_datasets():
        for file in dataset.files:
            if file.columns and file.media_type.endswith("parquet"):
                schema = parquet.read_schema(locate(dataset.name, file.name))
                assert [column.name for column in file.columns] == schema.names
