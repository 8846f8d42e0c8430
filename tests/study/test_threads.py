# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from trimtab.study.threads import single_threaded


def most_threads() -> int:
    return max((pool["num_threads"] for pool in threadpool_info()), default=1)


def test_one_thread_inside_and_as_before_outside() -> None:
    assert np.ones((2, 2)) @ np.ones(2) is not None  # BLAS is loaded
    before = most_threads()
    with single_threaded():
        assert most_threads() == 1
    assert most_threads() == before


def test_torch_and_numba_too() -> None:
    torch, numba = pytest.importorskip("torch"), pytest.importorskip("numba")
    before = torch.get_num_threads(), numba.get_num_threads()
    with single_threaded():
        assert (torch.get_num_threads(), numba.get_num_threads()) == (1, 1)
    assert (torch.get_num_threads(), numba.get_num_threads()) == before
