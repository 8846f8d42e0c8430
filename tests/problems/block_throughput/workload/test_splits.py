# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("iced_x86")
pytest.importorskip("numba")

from trimtab.core.problem import SPLITS
from trimtab.problems.block_throughput.workload.labelled import Labelled
from trimtab.problems.block_throughput.workload.splits import divide, skeletons, split_of

PAIRS = {  # near-duplicates, or not
    ("4801d8", "4801f0"): True,  # add rax, rbx; add rax, rsi
    ("4801d8", "4801c0"): False,  # add rax, rax: one register, not two
    ("4883c001", "4883c307"): True,  # add rax, 1; add rbx, 7
    ("488b4308", "488b4e10"): True,  # mov rax, [rbx+8]; mov rcx, [rsi+16]
    ("488b4308", "488b4008"): False,  # mov rax, [rax+8] waits for itself
    ("4801d84801d9", "4801f14801f2"): True,  # the second register is shared in both
    ("4801d84801d9", "4801f14801d9"): False,  # the roles differ
    ("4801d8", "4829d8"): False,  # add, sub
    ("4801d8", "01d8"): False,  # 64 bits, 32 bits
    ("c5fb58c1", "c5eb58d3"): True,  # vaddsd xmm0, xmm0, xmm1; vaddsd xmm2, xmm2, xmm3
    ("4801d8", "4801d84801d8"): False,
}


@pytest.mark.parametrize(("pair", "same"), PAIRS.items(), ids=str)
def test_near_duplicates(pair: tuple[str, str], same: bool) -> None:
    first, second = skeletons([bytes.fromhex(code) for code in pair])
    assert (first == second) == same


def test_applications() -> None:
    assert [
        split_of(name) for name in ("sqlite", "libsqlite3", "git", "redis", "gzip", "tensorflow", "libc", "new")
    ] == [
        *("test", "test", "test", "validation", "validation"),
        *("train", "train", "train"),
    ]


def test_a_block_is_of_the_first_split_that_any_of_its_applications_is_of() -> None:
    codes = ["4801d8", "4829d8", "4821d8", "4809d8", "4831d8", "4801f0"]  # add, sub, and, or, xor; add again
    applications = ["sqlite,eigen", "redis,sqlite", "openblas,sqlite,redis", "git", "tensorflow,ffmpeg", "libc"]
    parts = divide(
        Labelled(tuple(map(bytes.fromhex, codes)), np.ones(6), tuple(applications), np.ones(6), cpu="Maker-1-1")
    )
    of = ["" if at < 0 else SPLITS[at] for at in parts.split]
    assert of == ["test", "validation", "train", "test", "train", ""]  # the last is a near-duplicate of the first
    assert parts.application[:5] == ("eigen", "redis", "openblas", "git", "ffmpeg")
    assert parts.removed == 1
