# SPDX-License-Identifier: Apache-2.0
"""Cards are valid Croissant for its own tool, which can read the data through them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import make_file

from trimtab.data import Column, Dataset, croissant, export, import_path, list_datasets

mlcroissant = pytest.importorskip("mlcroissant", reason="pip install 'trimtab[dev]'")


@pytest.mark.parametrize("dataset", list_datasets(), ids=lambda dataset: dataset.name)
def test_every_card_is_valid_without_a_warning(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant(dataset)))
    with caplog.at_level(logging.WARNING):
        metadata = mlcroissant.Dataset(jsonld=str(path)).metadata
    assert [record.getMessage() for record in caplog.records] == []
    assert metadata.name == dataset.name
    assert {entry.sha256 for entry in metadata.distribution} == {file.sha256 for file in dataset.files}


def test_an_exported_table_is_read_through_its_card(register: Callable[..., Dataset], tmp_path: Path) -> None:
    content = b"name,count,share\none,1,0.5\ntwo,2,0.25\n"
    columns = (
        Column("name", "string", "a word"),
        Column("count", "integer", "a number"),
        Column("share", "number", "1"),
    )
    table = replace(make_file(content=content, name="table.csv"), media_type="text/csv", columns=columns)
    register(table)
    (tmp_path / "x").write_bytes(content)
    import_path(tmp_path / "x")
    folder = export("numbers", tmp_path / "out")
    records = list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("table"))
    assert [tuple(record.values()) for record in records] == [(b"one", 1, 0.5), (b"two", 2, 0.25)]
