# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.problems.block_throughput.system import cpu

TWO_CORES = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC 9654
stepping\t: 1
microcode\t: 0xa101148
flags\t\t: fpu vme hypervisor constant_tsc
bogomips\t: 5192.25

processor\t: 1
vendor_id\t: Other
model\t\t: 3
"""


def test_what_linux_says_is_read_of_one_core(tmp_path: Path):
    (tmp_path / "cpuinfo").write_text(TWO_CORES)
    assert cpu.describe(tmp_path / "cpuinfo") == {
        "vendor": "AuthenticAMD",
        "family": "25",
        "model": "17",
        "stepping": "1",
        "microcode": "0xa101148",
        "name": "AMD EPYC 9654",
        "virtual": "yes",
    }
    assert cpu.describe(tmp_path / "none") == {}


def test_the_name_that_labels_bear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cpuinfo").write_text(TWO_CORES)
    monkeypatch.setattr(cpu, "describe", lambda: {"vendor": "AuthenticAMD", "family": "25", "model": "17"})
    assert cpu.fingerprint() == "AuthenticAMD-25-17"
    monkeypatch.setattr(cpu, "describe", dict)
    assert cpu.fingerprint() == ""


def test_the_cores_frequency_follows_from_the_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cpuinfo").write_text(TWO_CORES)
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    card = cpu.clock_card(0.7026, "tsc-calibrated")
    assert card["tsc_ghz"] == pytest.approx(2.596, abs=1e-3)
    assert card["core_ghz"] == pytest.approx(3.695, abs=2e-3)
    assert cpu.clock_card(1.0, "perf") == {"clock": "perf"}
