# SPDX-License-Identifier: Apache-2.0
"""Instances and their truth: the labels that the package ships, and all that were staged.

An instance is the blocks of one application on one CPU, named like ``zen4-sqlite``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.problem import Split

from ..problem import BlockSet, Floats
from .labelled import Labelled, read_labelled
from .public import bhive_blocks, zen4_labels
from .splits import Parts, divide

SHIPPED: Final = tuple(Path(__file__).with_name("data") / name for name in ("zen4.npz", "zen5.npz"))
#: Short names of CPUs, for those of instances.
NAMES: Final = {"AuthenticAMD-25-17": "zen4", "AuthenticAMD-26-2": "zen5"}
_FEW: Final = 20  # blocks: an application with fewer is no instance


def instances(split: Split) -> Mapping[str, BlockSet]:
    """What the package ships: Zen 4 and Zen 5, at most some thousand blocks of an application."""
    return {name: one for path in SHIPPED for name, one in _instances(shipped(path), _shipped_parts(path), split)}


def zen4(split: Split) -> Mapping[str, BlockSet]:
    """All labels of the data set zen4-throughput. Raises `MissingData` where it is not on this machine."""
    return dict(_instances(staged(), _staged_parts(), split))


def full(split: Split) -> Mapping[str, BlockSet]:
    """`zen4`, and the shipped instances of the other CPU."""
    rest = {name: one for name, one in instances(split).items() if not name.startswith("zen4-")}
    return {**zen4(split), **rest}


SUITES: Final[dict[str, Callable[[Split], Mapping[str, BlockSet]]]] = {"zen4": zen4, "full": full}


def truth(instance: BlockSet) -> Floats:
    """What each block was measured to take, core cycles per iteration; NaN where nobody measured it.  (blocks,)"""
    known = _known(instance.cpu, instance.notion)
    found = np.array([known.get(block, np.nan) for block in instance.blocks])
    if np.isnan(found).any() and instance.cpu == "AuthenticAMD-25-17" and instance.notion == "U":
        more = _staged_known()
        missing = np.flatnonzero(np.isnan(found)).tolist()
        found[missing] = [more.get(instance.blocks[at], np.nan) for at in missing]
    return found


@cache
def shipped(path: Path) -> Labelled:
    return read_labelled(path)


@cache
def staged() -> Labelled:
    """The data set zen4-throughput, with BHive's applications and frequencies."""
    labels, bhive = zen4_labels(), bhive_blocks()
    where = {code: at for at, code in enumerate(bhive.code)}
    at = [where[code] for code in labels.code]
    return Labelled(
        blocks=labels.code,
        cycles=labels.cycles,
        application=tuple(",".join(bhive.applications[row]) for row in at),
        frequency=np.array([max(bhive.frequency[row]) for row in at]),
        cpu="AuthenticAMD-25-17",
    )


def near_duplicates() -> dict[str, int]:
    """How many blocks of each shipped set were taken out of training."""
    return {NAMES.get(shipped(path).cpu, path.stem): _shipped_parts(path).removed for path in SHIPPED}


@cache
def _shipped_parts(path: Path) -> Parts:
    return divide(shipped(path))


@cache
def _staged_parts() -> Parts:
    return divide(staged())


@cache
def _known(cpu: str, notion: str) -> dict[bytes, float]:
    sets = [labelled for labelled in map(shipped, SHIPPED) if (labelled.cpu, labelled.notion) == (cpu, notion)]
    return {block: value for one in sets for block, value in zip(one.blocks, one.cycles.tolist(), strict=True)}


@cache
def _staged_known() -> dict[bytes, float]:
    try:
        labels = zen4_labels()
    except Unavailable:
        return {}
    return dict(zip(labels.code, labels.cycles.tolist(), strict=True))


def _instances(labelled: Labelled, parts: Parts, split: Split) -> list[tuple[str, BlockSet]]:
    rows: dict[str, list[int]] = {}
    for at in parts.rows(split).tolist():
        rows.setdefault(parts.application[at], []).append(at)
    short = NAMES.get(labelled.cpu, labelled.cpu)
    return [
        (f"{short}-{application}", _instance(labelled, application, rows[application]))
        for application in sorted(rows)
        if len(rows[application]) >= _FEW
    ]


def _instance(labelled: Labelled, application: str, rows: list[int]) -> BlockSet:
    return BlockSet(
        blocks=tuple(labelled.blocks[at] for at in rows),
        cpu=labelled.cpu,
        notion=labelled.notion,
        application=application,
        frequency=labelled.frequency[rows],
    )
