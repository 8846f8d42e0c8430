# SPDX-License-Identifier: Apache-2.0
"""The cards of every problem are found through the registry, and say how to get each file."""

from __future__ import annotations

import pytest

from trimtab.core.errors import MissingData
from trimtab.data import Dataset, get_dataset, locate
from trimtab.problems.block_throughput.datasets import DATASETS as THROUGHPUT
from trimtab.problems.cluster_scheduling.datasets import DATASETS as SCHEDULING
from trimtab.problems.device_placement.datasets import DATASETS as PLACEMENT
from trimtab.problems.join_ordering.datasets import DATASETS as JOINS

PUBLISHED = [*THROUGHPUT, *SCHEDULING, *PLACEMENT]  # join_ordering's own queries have no address
EVERY = [*PUBLISHED, *JOINS]


@pytest.mark.parametrize("dataset", PUBLISHED, ids=lambda dataset: dataset.name)
def test_a_card_is_in_the_catalogue(dataset: Dataset) -> None:
    assert get_dataset(dataset.name) is dataset
    assert dataset.licence and dataset.citation and dataset.origin.startswith("https://")


@pytest.mark.parametrize("dataset", EVERY, ids=lambda dataset: dataset.name)
def test_a_missing_file_names_the_command_that_brings_it(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path_factory.mktemp("cache")))
    for file in dataset.files:
        command = f"trimtab data fetch {dataset.name}" if file.sources else "trimtab data import PATH"
        with pytest.raises(MissingData, match=command):
            locate(dataset.name, file.name)
