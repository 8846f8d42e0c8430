# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np

from trimtab.problems.block_throughput.workload.public import bhive_blocks, haswell_sample, zen4_labels


def test_bhive_blocks(public_data: Path) -> None:
    """Against BHive's paper, table 2: which applications, and that most blocks are TensorFlow's."""
    found = bhive_blocks()
    assert len(found.code) == len(set(found.code)) == 125_291
    families = {name for names in found.applications for name in names}
    assert families == {"tensorflow", "openblas", "ffmpeg", "embree", "redis", "sqlite", "openssl", "eigen", "gzip"}
    assert sum("tensorflow" in names for names in found.applications) == 71_987
    assert all(len(a) == len(f) and min(f) > 0 for a, f in zip(found.applications, found.frequency, strict=True))


def test_zen4_labels(public_data: Path) -> None:
    found = zen4_labels()
    assert len(found.code) == len(found.cycles) == 107_687
    assert len(found.code) + sum(found.failed.values()) == 111_894
    assert set(found.code) <= set(bhive_blocks().code)
    assert np.isfinite(found.cycles).all() and found.cycles.min() >= 1 / 12.5  # at most 12 instructions a cycle, fused
    assert found.spread.max() <= 0.05  # as the protocol says
    known = dict(zip(found.code, found.cycles, strict=True))
    chains = {"4801d8": 1.0, "480fafc3": 3.0}  # add rax, rbx; imul rax, rbx: Zen 4's documented latencies
    there = {code: cycles for code, cycles in chains.items() if bytes.fromhex(code) in known}
    for code, cycles in there.items():
        assert abs(known[bytes.fromhex(code)] / cycles - 1) < 0.02


def test_haswell_sample(public_data: Path) -> None:
    found = haswell_sample()
    assert len(found.listing) == len(found.cycles) == 1000
    assert found.cycles.min() > 0
