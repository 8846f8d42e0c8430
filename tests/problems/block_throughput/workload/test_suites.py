# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("iced_x86")
pytest.importorskip("numba")

from trimtab.core.problem import SPLITS
from trimtab.problems.block_throughput.problem import BlockSet
from trimtab.problems.block_throughput.workload import SUITES, instances, near_duplicates, truth
from trimtab.problems.block_throughput.workload.splits import skeletons, split_of


def blocks_of(suite: dict[str, BlockSet], cpu: str) -> set[bytes]:
    return {block for one in suite.values() if one.cpu == cpu for block in one.blocks}


def test_no_block_of_the_shipped_sets_is_in_two_splits_and_none_in_training_resembles_one_that_is_held_out() -> None:
    parts = {split: dict(instances(split)) for split in SPLITS}
    for cpu in ("AuthenticAMD-25-17", "AuthenticAMD-26-2"):
        train, validation, test = (blocks_of(parts[split], cpu) for split in SPLITS)
        assert train and validation and test
        assert not (train & validation or train & test or validation & test)
        held_out = np.unique(skeletons([*validation, *test]))
        assert not np.isin(skeletons(list(train)), held_out).any()
    assert all(count > 0 for count in near_duplicates().values())


@pytest.mark.parametrize("split", SPLITS)
def test_instances_are_named_by_cpu_and_application_and_have_a_truth(split: str) -> None:
    for name, one in instances(split).items():  # type: ignore[arg-type]
        assert name.split("-", 1)[1] == one.application and split_of(one.application) == split
        cycles = truth(one)
        assert np.isfinite(cycles).all() and (cycles > 0).all()


def test_nobody_knows_the_truth_of_new_blocks() -> None:
    known = next(iter(instances("test").values()))
    mixed = BlockSet((bytes.fromhex("90" * 37), known.blocks[0]), cpu=known.cpu)
    assert np.isnan(truth(mixed)).tolist() == [True, False]
    assert np.isnan(truth(BlockSet(known.blocks, cpu="Maker-1-1"))).all()
    assert np.isnan(truth(BlockSet(known.blocks, cpu=known.cpu, notion="L"))).all()


def test_the_staged_labels_contain_the_shipped_ones(public_data: Path) -> None:
    for split in SPLITS:
        staged, ours = SUITES["zen4"](split), instances(split)
        assert blocks_of(dict(ours), "AuthenticAMD-25-17") >= set()
        assert set(SUITES["full"](split)) == set(staged) | {name for name in ours if name.startswith("zen5-")}
    assert sum(len(one) for one in SUITES["zen4"]("train").values()) > 50_000
    shipped = {block: value for one in instances("test").values() if one.cpu == "AuthenticAMD-25-17"
               for block, value in zip(one.blocks, truth(one), strict=True)}  # fmt: skip
    every = {block for one in SUITES["zen4"]("test").values() for block in one.blocks}
    assert set(shipped) <= every
