# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.data import get_dataset, verify
from trimtab.problems.join_ordering.datasets import DATASETS


@pytest.mark.parametrize("name", [dataset.name for dataset in DATASETS])
def test_the_cards_are_of_the_files(name: str, public_data: Path) -> None:
    assert [finding.status for finding in verify(name)] == ["ok"] * len(get_dataset(name).files)
