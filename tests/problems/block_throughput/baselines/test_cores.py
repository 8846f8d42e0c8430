# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess

import pytest

from trimtab.core.errors import Unavailable
from trimtab.problems.block_throughput.baselines.cores import CORES, core_of


@pytest.mark.parametrize(
    ("cpu", "name"),
    [
        ("AuthenticAMD-25-17", "Zen 4"),  # EPYC 9004
        ("AuthenticAMD-25-33", "Zen 3"),  # Ryzen 5000
        ("AuthenticAMD-25-97", "Zen 4"),  # Ryzen 7000
        ("AuthenticAMD-26-2", "Zen 5"),  # EPYC 9005
        ("AuthenticAMD-23-113", "Zen 2"),  # Ryzen 3000
        ("GenuineIntel-6-60", "Haswell"),
        ("GenuineIntel-6-143", "Sapphire Rapids"),
    ],
)
def test_processors(cpu: str, name: str) -> None:
    assert core_of(cpu).name == name


@pytest.mark.parametrize(
    "cpu", ["", "AuthenticAMD", "AuthenticAMD-25", "AuthenticAMD-x-1", "GenuineIntel-6-1", "Arm-8"]
)
def test_an_unknown_processor_is_unavailable(cpu: str) -> None:
    with pytest.raises(Unavailable, match="nothing is documented"):
        core_of(cpu)


def test_no_processor_is_two_cores() -> None:
    claimed = [(core.vendor, core.family, model) for core in CORES for models in core.models for model in models]
    assert len(claimed) == len(set(claimed))


@pytest.mark.skipif(shutil.which("llvm-mca-19") is None, reason="llvm-mca-19 is not here (Debian: llvm-19)")
def test_llvm_knows_every_core() -> None:
    asked = ["llvm-mca-19", "--mtriple=x86_64", "--mcpu=help", "/dev/null"]
    known = subprocess.run(asked, capture_output=True, text=True, check=False).stderr
    assert all(f"  {core.mcpu} " in known for core in CORES)
