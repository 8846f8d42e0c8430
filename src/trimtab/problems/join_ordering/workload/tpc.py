# SPDX-License-Identifier: Apache-2.0
"""TPC-H and TPC-DS at any scale, through ``tpcgen-cli``: schemas to try things at size.

Their columns are drawn independently and evenly, so estimates on them are good:
they say how a method scales, not what it gains on real data.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trimtab.core.errors import MissingExtra, TrimtabError
from trimtab.core.extras import need
from trimtab.data.store import cache_folder

from .database import Database, Table, save_schema
from .generator import Habits

#: Keys of the tables that others refer to, and how the columns that refer to them end (after the table's prefix).
_KEYS: Final[Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]]] = {
    "tpch": {
        "region": ("r_regionkey", ("regionkey",)),
        "nation": ("n_nationkey", ("nationkey",)),
        "supplier": ("s_suppkey", ("suppkey",)),
        "customer": ("c_custkey", ("custkey",)),
        "part": ("p_partkey", ("partkey",)),
        "orders": ("o_orderkey", ("orderkey",)),
    },
    "tpcds": {
        "call_center": ("cc_call_center_sk", ("call_center_sk",)),
        "catalog_page": ("cp_catalog_page_sk", ("catalog_page_sk",)),
        "customer": ("c_customer_sk", ("customer_sk",)),
        "customer_address": ("ca_address_sk", ("addr_sk",)),
        "customer_demographics": ("cd_demo_sk", ("cdemo_sk",)),
        "date_dim": ("d_date_sk", ("date_sk",)),
        "household_demographics": ("hd_demo_sk", ("hdemo_sk",)),
        "income_band": ("ib_income_band_sk", ("income_band_sk",)),
        "item": ("i_item_sk", ("item_sk",)),
        "promotion": ("p_promo_sk", ("promo_sk",)),
        "reason": ("r_reason_sk", ("reason_sk",)),
        "ship_mode": ("sm_ship_mode_sk", ("ship_mode_sk",)),
        "store": ("s_store_sk", ("store_sk",)),
        "time_dim": ("t_time_sk", ("time_sk",)),
        "warehouse": ("w_warehouse_sk", ("warehouse_sk",)),
        "web_page": ("wp_web_page_sk", ("web_page_sk",)),
        "web_site": ("web_site_sk", ("web_site_sk",)),
    },
}

_UNLIKELY: Final = frozenset({"r_comment", "n_comment", "c_comment", "o_comment", "l_comment", "p_comment", "s_comment",
                              "ps_comment", "c_address", "s_address", "c_phone", "s_phone"})  # fmt: skip
HABITS_BY_KIND: Final[Mapping[str, Habits]] = {
    "tpch": Habits(num_relations=(4, 5, 6, 7), ignored=_UNLIKELY),
    "tpcds": Habits(num_relations=(4, 5, 6, 7, 8), fan_outs=2),
}


def build_tpc(kind: str, scale: float, folder: Path | None = None) -> Database:
    """``tpch`` or ``tpcds`` at a scale factor (1 is about 1 GB) as Parquet files; made once."""
    folder = folder or cache_folder() / "join_ordering" / f"{kind}-{scale:g}"
    if (folder / "schema.json").exists():
        from .database import open_database

        return open_database(folder)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    command = [_tpcgen(), kind, "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(partial)]
    try:
        partial.mkdir(parents=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TrimtabError(f"tpcgen-cli failed at scale factor {scale:g}: {done.stderr.strip()[-500:]}")
        tables = _tables(partial, _KEYS[kind])
        save_schema(partial, tables)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Database(folder, tables)


def _tables(folder: Path, keys: Mapping[str, tuple[str, tuple[str, ...]]]) -> tuple[Table, ...]:
    duckdb = need("duckdb", extra="sql", purpose="reading Parquet")
    endings = {ending: (table, key) for table, (key, ends) in keys.items() for ending in ends}
    found = []
    with duckdb.connect() as connection:
        for path in sorted(folder.glob("*.parquet")):
            if path.stem == "dbgen_version":
                continue
            described = connection.execute("SELECT * FROM (DESCRIBE SELECT * FROM read_parquet(?))", [str(path)])
            columns = {row[0]: "TEXT" if row[1] == "VARCHAR" else row[1] for row in described.fetchall()}
            own = keys.get(path.stem, ("", ()))[0]
            found.append(Table(path.stem, columns, own, _references(columns, own, endings)))
    return tuple(found)


def _references(columns: Mapping[str, str], own: str, endings: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Column -> what it refers to, by the longest ending that fits it."""
    found = {}
    for column in columns:
        fitting = [ending for ending in endings if column.endswith(f"_{ending}")]
        if fitting and column != own:
            table, key = endings[max(fitting, key=len)]
            found[column] = f"{table}.{key}"
    return found


def _tpcgen() -> str:
    found = shutil.which("tpcgen-cli", path=str(Path(sys.executable).parent)) or shutil.which("tpcgen-cli")
    if found is None:
        raise MissingExtra("generating TPC tables needs tpcgen-cli.  pip install 'trimtab[sql]'")
    return found
