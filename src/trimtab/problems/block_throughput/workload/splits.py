# SPDX-License-Identifier: Apache-2.0
"""Which blocks are for training, for validation and for testing: by application, without near-duplicates.

A block that occurs in several applications belongs to the first split that any of
them is of, in the order train, validation, test: what is tested on was in no
program that was trained on. Applications share much code all the same (compilers
write the same prologues everywhere), so blocks that are *near-duplicates* of a
validation or test block, the same instructions but for the names of registers and
the values of constants, are taken out of the training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need
from trimtab.core.problem import SPLITS, Split

from .labelled import Labelled

#: Applications that are not for training, by the beginning of their names.
HELD_OUT: Final[dict[Split, tuple[str, ...]]] = {
    "validation": ("redis", "gzip", "libzstd", "libgmp"),
    "test": ("sqlite", "eigen", "libsqlite3", "git"),
}


@dataclass(frozen=True, eq=False)
class Parts:
    """Of each block its split (index into `SPLITS`; -1: taken out as a near-duplicate), and its application."""

    split: NDArray[np.int64]  # (blocks,)
    application: tuple[str, ...]  # (blocks,) the first of those that are of its split

    @property
    def removed(self) -> int:
        """How many blocks were near-duplicates."""
        return int((self.split < 0).sum())

    def rows(self, split: Split) -> NDArray[np.int64]:
        return np.flatnonzero(self.split == SPLITS.index(split))


def divide(labelled: Labelled) -> Parts:
    """The splits of a set of labels."""
    of: dict[str, tuple[int, str]] = {}
    for names in set(labelled.application):
        number = {name: SPLITS.index(split_of(name)) for name in names.split(",")}
        lowest = min(number.values())
        of[names] = lowest, min(name for name in number if number[name] == lowest)
    split = np.array([of[names][0] for names in labelled.application], np.int64)
    keys = skeletons(labelled.blocks)
    split[(split == 0) & np.isin(keys, keys[split > 0])] = -1
    return Parts(split, tuple(of[names][1] for names in labelled.application))


def split_of(application: str) -> Split:
    """Of one application; those that are not in `HELD_OUT` are for training."""
    for split, names in HELD_OUT.items():
        if application.startswith(names):
            return split
    return "train"


def skeletons(blocks: Sequence[bytes]) -> NDArray[np.uint64]:
    """Equal for near-duplicates: a hash of forms, and of registers numbered as they first occur.  (blocks,)"""
    need("numba", extra="throughput", purpose="dividing blocks into splits")
    from ..decode import decode
    from .skeleton import hashes

    decoded = decode(blocks)
    return hashes(decoded.records, decoded.row, decoded.first)
