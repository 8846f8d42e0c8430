# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from trimtab.problems.join_ordering.problem import JoinQuery
from trimtab.problems.join_ordering.selection.counting import Sizes
from trimtab.problems.join_ordering.selection.gather import gather
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.workload.aptdb import HABITS
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import Amount, generate

EVERYTHING = Sizes(1 << 40, 1 << 40)


@pytest.fixture(scope="session")
def queries(small_aptdb: Database) -> list[JoinQuery]:
    return list(generate(small_aptdb, HABITS, Amount(shapes=12, per_shape=2, seed=5, most_rows=300_000), "t"))


@pytest.fixture(scope="session")
def whole(duck: Any, small_aptdb: Database) -> Memory:
    """Nothing is sampled."""
    return gather(duck, small_aptdb, sizes=EVERYTHING)
