# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from trimtab.problems.block_throughput.learned import shipped
from trimtab.problems.block_throughput.learned.explain import explain

CASES = {
    "a chain of imul": ("480fafc1480fafc1", "dependencies"),
    "independent adds": ("4801c84801cb4801ca4801cf", ("execution ports", "dependencies")),
    "eliminated moves": ("4889c84889cb4889ca", "front end"),
    "loads": ("488b07488b4f08488b5710488b7718", "memory"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bottleneck_is_what_it_is(name: str) -> None:
    code, expected = CASES[name]
    why = explain(shipped().core("AuthenticAMD-25-17").skeleton, bytes.fromhex(code))
    assert why.bottleneck in expected
    assert why.shares.sum() == pytest.approx(1) and (why.shares >= 0).all()


def test_what_is_on_the_chain_has_the_share() -> None:
    why = explain(shipped().core("AuthenticAMD-25-17").skeleton, bytes.fromhex("480fafc14883c301"))  # imul; add rbx, 1
    assert why.shares[0] > 0.9
