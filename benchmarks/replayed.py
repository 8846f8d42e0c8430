# SPDX-License-Identifier: Apache-2.0
"""The targets of runtime_tuning that can be replayed: what its benchmarks share."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from trimtab.core.errors import Unavailable
from trimtab.core.problem import SPLITS
from trimtab.problems.runtime_tuning.problem import Target
from trimtab.problems.runtime_tuning.workload import SUITES, instances


def replayed() -> Mapping[str, Target]:
    """Of all splits, shipped and public; says on stderr what is left out."""
    found: dict[str, Target] = {}
    for split in SPLITS:
        found |= instances(split)
        try:
            found |= SUITES["public"](split)
        except Unavailable as error:
            print(f"left out: {error}", file=sys.stderr)
    return {name: target for name, target in found.items() if target.replay is not None}
