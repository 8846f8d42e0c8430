# SPDX-License-Identifier: Apache-2.0
"""What is documented of processor cores: their widths, and the names that llvm-mca and OSACA have for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trimtab.core.errors import Unavailable


@dataclass(frozen=True)
class Core:
    """One microarchitecture.

    Widths are those of the makers' optimisation manuals: AMD 55723 (Zen 1), 56305
    (Zen 2), 56665 (Zen 3), 57647 (Zen 4), 58455 (Zen 5); Intel 248966. Loads and
    stores are of 8 bytes at most: wider ones can be fewer.
    """

    name: str
    vendor: str  # as CPUID says it
    family: int
    models: tuple[range, ...]
    width: int  # instructions dispatched (AMD: macro-ops; Intel: renamed) a cycle, at most
    loads: int  # a cycle
    stores: int
    memory: int  # both together
    mcpu: str  # of LLVM 19
    osaca: str  # of OSACA 0.7; '' where it has none


_AMD, _INTEL = "AuthenticAMD", "GenuineIntel"


def _models(*numbers: int) -> tuple[range, ...]:
    return tuple(range(number, number + 1) for number in numbers)


CORES: Final = (
    Core("Zen", _AMD, 0x17, (range(0x30),), 5, 2, 1, 2, "znver1", "ZEN1"),
    Core("Zen 2", _AMD, 0x17, (range(0x30, 0x100),), 6, 2, 1, 3, "znver2", "ZEN2"),
    Core("Zen 3", _AMD, 0x19, (range(0x10), range(0x20, 0x60)), 6, 3, 2, 3, "znver3", "ZEN3"),
    Core("Zen 4", _AMD, 0x19, (range(0x10, 0x20), range(0x60, 0x100)), 6, 3, 2, 3, "znver4", "ZEN4"),
    # LLVM 19 schedules for znver5 as for znver4; OSACA stops at Zen 4
    Core("Zen 5", _AMD, 0x1A, (range(0x100),), 8, 4, 2, 4, "znver5", "ZEN4"),
    Core("Sandy Bridge", _INTEL, 6, _models(0x2A, 0x2D), 4, 2, 1, 2, "sandybridge", "SNB"),
    Core("Ivy Bridge", _INTEL, 6, _models(0x3A, 0x3E), 4, 2, 1, 2, "ivybridge", "IVB"),
    Core("Haswell", _INTEL, 6, _models(0x3C, 0x3F, 0x45, 0x46), 4, 2, 1, 3, "haswell", "HSW"),
    Core("Broadwell", _INTEL, 6, _models(0x3D, 0x47, 0x4F, 0x56), 4, 2, 1, 3, "broadwell", "BDW"),
    Core("Skylake", _INTEL, 6, _models(0x4E, 0x5E, 0x8E, 0x9E, 0xA5, 0xA6), 4, 2, 1, 3, "skylake", "SKX"),
    Core("Skylake-SP", _INTEL, 6, _models(0x55), 4, 2, 1, 3, "skylake-avx512", "SKX"),
    Core("Ice Lake", _INTEL, 6, _models(0x7D, 0x7E, 0xA7), 5, 2, 2, 4, "icelake-client", "ICL"),
    Core("Ice Lake-SP", _INTEL, 6, _models(0x6A, 0x6C), 5, 2, 2, 4, "icelake-server", "ICX"),
    Core("Tiger Lake", _INTEL, 6, _models(0x8C, 0x8D), 5, 2, 2, 4, "tigerlake", "ICL"),
    Core("Golden Cove", _INTEL, 6, _models(0x97, 0x9A, 0xB7, 0xBA, 0xBF), 6, 3, 2, 5, "alderlake", "SPR"),
    Core("Sapphire Rapids", _INTEL, 6, _models(0x8F, 0xCF), 6, 3, 2, 5, "sapphirerapids", "SPR"),
)


def core_of(cpu: str) -> Core:
    """The core of a processor named as in a `BlockSet`: vendor-family-model, such as AuthenticAMD-25-17.

    Raises `Unavailable` where it is not in the table.
    """
    vendor, family, model = [*cpu.split("-"), "", ""][:3]
    if family.isdecimal() and model.isdecimal():
        for core in CORES:
            named = (core.vendor, core.family) == (vendor, int(family))
            if named and any(int(model) in models for models in core.models):
                return core
    raise Unavailable(
        f"nothing is documented here of the processor {cpu!r}: its widths and its names in other tools belong into "
        "the table of block_throughput/baselines/cores.py"
    )
