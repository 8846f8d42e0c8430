# SPDX-License-Identifier: Apache-2.0
"""The public blocks and labels, from ``TRIMTAB_DATA`` or the cache: see `datasets.py` for their cards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need
from trimtab.data import locate

Floats = NDArray[np.float64]

#: How BHive's programs are grouped into applications: the first word of their names.
_SEPARATOR: Final = "-"


@dataclass(frozen=True, eq=False)
class BHiveBlocks:
    """BHive's blocks, in the order of the file."""

    code: tuple[bytes, ...]
    applications: tuple[tuple[str, ...], ...]  # families, such as openblas, ascending
    frequency: tuple[tuple[float, ...], ...]  # beside applications: the greatest share among the family's programs


@dataclass(frozen=True, eq=False)
class Zen4Labels:
    """The blocks that have a label, in the order of the file."""

    code: tuple[bytes, ...]
    cycles: Floats  # (blocks,) core cycles per iteration, unrolled
    spread: Floats  # (blocks,) relative difference of the closest pair of passes
    passes: NDArray[np.int64]  # (blocks,)
    pages: NDArray[np.int64]  # (blocks,) virtual pages touched
    failed: dict[str, int]  # how many blocks have no label, by reason


@dataclass(frozen=True, eq=False)
class HaswellSample:
    listing: tuple[str, ...]  # DynamoRIO's Intel syntax; see `dynamorio.to_llvm`
    cycles: Floats  # (blocks,)


@cache
def bhive_blocks() -> BHiveBlocks:
    """Raises `MissingData` where the file is not on this machine."""
    table = _table("bhive-blocks", "bhive_blocks.parquet", "hex", "apps", "static_freq")
    families, frequency = [], []
    for apps, shares in zip(table["apps"], table["static_freq"], strict=True):
        greatest: dict[str, float] = {}
        for app, share in zip(apps, shares, strict=True):
            family = app.partition(_SEPARATOR)[0]
            greatest[family] = max(share, greatest.get(family, 0.0))
        families.append(tuple(sorted(greatest)))
        frequency.append(tuple(greatest[family] for family in sorted(greatest)))
    return BHiveBlocks(tuple(map(bytes.fromhex, table["hex"])), tuple(families), tuple(frequency))


@cache
def zen4_labels() -> Zen4Labels:
    """Raises `MissingData` where the file is not on this machine."""
    columns = ("hex", "status", "cycles", "spread", "n_passes", "pages_touched")
    table = _table("zen4-throughput", "zen4_throughput.parquet", *columns)
    cycles = _floats(table["cycles"])
    kept = np.flatnonzero(np.isfinite(cycles) & (cycles > 0))
    lost = set(range(len(cycles))) - set(kept.tolist())
    failed: dict[str, int] = {}
    for at in sorted(lost):
        reason = table["status"][at]
        reason = "its passes disagree" if reason == "ok" else reason
        failed[reason] = failed.get(reason, 0) + 1
    return Zen4Labels(
        code=tuple(bytes.fromhex(table["hex"][at]) for at in kept),
        cycles=cycles[kept],
        spread=_floats(table["spread"])[kept],
        passes=_whole(table["n_passes"], kept),
        pages=_whole(table["pages_touched"], kept),
        failed=failed,
    )


@cache
def haswell_sample() -> HaswellSample:
    """Raises `MissingData` where the file is not on this machine."""
    columns = ("asm_intel", "cycles_per_iter")
    table = _table("ithemal-haswell-sample", "ithemal_haswell_sample1000.parquet", *columns)
    return HaswellSample(tuple(table["asm_intel"]), _floats(table["cycles_per_iter"]))


def _table(dataset: str, file: str, *columns: str) -> dict[str, list[Any]]:
    parquet = need("pyarrow.parquet", extra="tables", purpose=f"the data set {dataset}")
    table: dict[str, list[Any]] = parquet.read_table(locate(dataset, file), columns=list(columns)).to_pydict()
    return table


def _floats(column: list[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in column], np.float64)


def _whole(column: list[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.nan_to_num(_floats(column)[rows]).astype(np.int64)
