# SPDX-License-Identifier: Apache-2.0
"""Public data sets: cards with licence and sha256, files found, fetched, imported and exported.

A file is looked for in the folders of ``TRIMTAB_DATA``, then in the user's cache
(``TRIMTAB_CACHE``, or ``trimtab`` in ``XDG_CACHE_HOME``). Nothing is downloaded
unless `fetch` is called, and nothing is used whose sha256 is not the card's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .catalogue import Column, Dataset, File, get_dataset, list_datasets
from .store import Finding, cache_folder, locate, verify

if TYPE_CHECKING:
    from .card import croissant
    from .exchange import Imported, export, import_path
    from .mirrors import Progress, fetch

__all__ = [
    "Column",
    "Dataset",
    "File",
    "Finding",
    "Imported",
    "Progress",
    "cache_folder",
    "croissant",
    "export",
    "fetch",
    "get_dataset",
    "import_path",
    "list_datasets",
    "locate",
    "verify",
]

# Looking up files must not cost the import of an HTTP client.
_LATER = {
    "Imported": ".exchange",
    "Progress": ".mirrors",
    "croissant": ".card",
    "export": ".exchange",
    "fetch": ".mirrors",
    "import_path": ".exchange",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name], __name__), name)
