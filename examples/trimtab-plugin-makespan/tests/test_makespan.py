# SPDX-License-Identifier: Apache-2.0
from trimtab_makespan import PROBLEM

from trimtab.testing import check_problem


def test_it_keeps_every_promise() -> None:
    assert check_problem(PROBLEM) == []
