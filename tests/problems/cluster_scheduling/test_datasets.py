# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from trimtab.problems.cluster_scheduling.datasets import DATASETS


def test_what_can_be_fetched_has_mirrors() -> None:
    assert all(len(file.sources) >= 2 for dataset in DATASETS for file in dataset.files if file.sources)
    assert any(file.sources for dataset in DATASETS for file in dataset.files)
