# SPDX-License-Identifier: Apache-2.0
"""Who may learn from what: jobs are split by query, draws by seed, never by job copy.

All sizes, levels and repetitions of a query stand on one side, so a policy is
tested on DAGs that it has never seen. Every instance draws from a generator of
its own, whose seed holds the names of the suite and of the split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import SPLITS, Split

from ..problem import JobProfile

#: The 22 queries of TPC-H, heaviest first by work at 20 GB in Decima's profile, dealt twice in the order of
#: `DEAL`: each split has heavy and light ones. Spark's own profile (shipped) is split alike, query by query.
QUERIES: Final[Mapping[Split, tuple[str, ...]]] = {
    "train": ("q21", "q17", "q8", "q7", "q20", "q4", "q12", "q1", "q14", "q16", "q2", "q22"),
    "validation": ("q9", "q10", "q19", "q13"),
    "test": ("q18", "q5", "q3", "q15", "q6", "q11"),
}
_T, _V, _E = SPLITS
DEAL: Final[tuple[Split, ...]] = (_T, _E, _T, _V, _T, _E, _T, _T, _V, _E, _T)

#: Percent of the jobs of the Alibaba trace, by the hash that makes their groups "a00" to "a99".
TRACE: Final[Mapping[Split, range]] = {"train": range(60), "validation": range(60, 80), "test": range(80, 100)}


def split_of(profile: JobProfile) -> Split:
    """The one split that a profile of TPC-H or of the Alibaba trace belongs to."""
    group = profile.group
    number = int(group[1:]) if group[:1] == "a" and group[1:].isdecimal() else -1
    for split in SPLITS:
        if group in QUERIES[split] or number in TRACE[split]:
            return split
    raise InvalidInstance(f"job {profile.name!r}, field 'group': {group!r} is in no split")


def only(profiles: Sequence[JobProfile], split: Split) -> tuple[JobProfile, ...]:
    """Those profiles that belong to `split`, in their order."""
    return tuple(profile for profile in profiles if split_of(profile) == split)


def generator(suite: str, split: Split, index: int) -> np.random.Generator:
    """The random numbers of one instance; no two of any suite or split share a seed."""
    return np.random.default_rng(list(f"{suite}/{split}/{index}".encode()))
