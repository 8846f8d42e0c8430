# SPDX-License-Identifier: Apache-2.0
"""Public data sets: cards with licence and sha256, files found, fetched, imported and exported.

A file is looked for in the folders of ``TRIMTAB_DATA``, then in the user's cache
(``TRIMTAB_CACHE``, or ``trimtab`` in ``XDG_CACHE_HOME``). Nothing is downloaded
unless `fetch` is called, and nothing is used whose sha256 is not the card's.
"""

from .catalogue import Column, Dataset, File, get_dataset, list_datasets
from .store import Finding, cache_folder, locate, verify

__all__ = [
    "Column",
    "Dataset",
    "File",
    "Finding",
    "cache_folder",
    "get_dataset",
    "list_datasets",
    "locate",
    "verify",
]
