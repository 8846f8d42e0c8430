# SPDX-License-Identifier: Apache-2.0
"""Whether a data set is here, and which command brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.data import Dataset, File


def absent(dataset: Dataset) -> list[File]:
    """Its files that are not on this machine."""
    from trimtab.data.store import find

    return [file for file in dataset.files if find(dataset, file) is None]


def how_to_get(dataset: Dataset) -> str:
    """The command that brings what is absent, or '' where nothing is."""
    missing = absent(dataset)
    if not missing:
        return ""
    return f"trimtab data fetch {dataset.name}" if all(file.sources for file in missing) else "trimtab data import PATH"
