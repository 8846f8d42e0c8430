# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from trimtab.core.errors import UnknownName
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.workload import SUITES, instances, tables
from trimtab.problems.runtime_tuning.workload.suites import LESSONS, TRAIN, VALIDATION, split_of


@pytest.mark.parametrize("name", tables.names())
def test_a_table_is_what_its_card_says(name: str):
    path = tables.FOLDER / f"{name}.jsonl.xz"
    card = json.loads((tables.FOLDER / f"{name}.card.json").read_text())
    table = tables.read(name)
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["runs"] == len(table.rows) >= (700 if name in LESSONS else 1500)
    assert card["invalid"] == sum(row.s in ("crash", "timeout", "refused") for row in table.rows)
    assert {"command", "machine", "date", "licence", "origin", "tool"} <= set(card)
    assert path.stat().st_size < 64_000


@pytest.mark.parametrize("name", tables.names())
def test_the_default_was_measured_again_and_again(name: str):
    table = tables.read(name)
    default = tuple(knob.default for knob in table.space.knobs)
    losses = [row.l for row in table.rows if row.v == default and row.l is not None]
    assert len(losses) > len(table.rows) / 10
    assert abs(float(np.median(losses))) < 0.01
    assert table.rows[0].v == table.rows[8].v == default


@pytest.mark.parametrize("name", tables.names())
def test_configurations_were_repeated_and_differ_from_each_other_by_more_than_noise(name: str):
    table = tables.read(name)
    default = tuple(knob.default for knob in table.space.knobs)
    groups: dict[object, list[float]] = {}
    for row in table.rows:
        if row.v != default and row.s == "ok" and row.l is not None:
            groups.setdefault(row.v, []).append(row.l)
    repeated = [losses for losses in groups.values() if len(losses) > 1]
    assert len(repeated) > 20
    noise = float(np.median([np.std(losses, ddof=1) for losses in repeated]))
    assert noise < float(np.std([losses[0] for losses in groups.values()])) / 3


def test_splits_are_by_program():
    seen = [name for split in SPLITS for name in instances(split)]
    assert sorted(seen) == sorted(tables.names())
    assert not set(TRAIN) & set(VALIDATION)
    assert set(LESSONS) <= set(TRAIN)
    assert split_of("java-h2") == split_of("h2") == "train"
    assert split_of("rhino") == split_of("java-rhino") == "test"
    assert set(SUITES) == {"public", "live", "java"}


def test_an_unknown_table():
    with pytest.raises(UnknownName, match="no table of measurements named 'zst'"):
        tables.read("zst")
