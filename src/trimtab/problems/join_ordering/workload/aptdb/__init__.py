# SPDX-License-Identifier: Apache-2.0
"""aptdb: a real, skewed, correlated database that every Debian machine holds, its package index.

Who maintains a package, its section, its name, its tags and what depends on it
hang together, which is what cardinality estimators assume they do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trimtab.data.store import cache_folder

from ..database import Database, write_csv_database
from ..generator import Habits
from .index import machine_index, read_index
from .tables import TABLES, tables_of

#: Filters on the small tables are usual (which section? which kind of dependency?), on the large ones less so.
HABITS: Final = Habits(
    predicate_odds={"section": 0.7, "priority": 0.7, "kind": 0.7, "domain": 0.7, "tag": 0.7, "package": 0.5,
                    "depends": 0.35, "maintainer": 0.1, "source": 0.05, "virtual": 0.05},
    ignored=frozenset({"version", "essential"}),
)  # fmt: skip


def build_aptdb(folder: Path | None = None, packages: Path | None = None) -> Database:
    """The 12 tables, from the machine's package index or a ``Packages`` file, as CSV files in a folder."""
    folder = folder or cache_folder() / "join_ordering" / "aptdb"
    index = machine_index() if packages is None else read_index(packages)
    return write_csv_database(folder, TABLES, tables_of(index))
