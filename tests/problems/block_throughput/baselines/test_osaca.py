# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from trimtab.problems.block_throughput.baselines.osaca import Analysis, analyse, read
from trimtab.problems.block_throughput.baselines.process import Refused

PRINTED = """\
Kernel:
- Flags: [tp_unknown, lt_unknown]
  PortPressure: {'0': 9.0}
Summary:
  CriticalPath: 4.0
  LCD: 3.0
  PortPressure: {'0': 0.25, '1': 0.33, '10': 0.5, '11': 0.0, 11DV: 0.0, '12':
      0.75, '13': 0.0, 4DV:
      0.0}
Target:
  Name: ZEN4
Warnings: [UnknownInstrWarning]
"""


def test_the_summary_is_read_and_nothing_else() -> None:
    assert read(PRINTED) == Analysis(throughput=0.75, loop_carried=3.0, unknown=True)
    assert read(PRINTED.replace("[UnknownInstrWarning]", "[]")) == Analysis(0.75, 3.0, unknown=False)
    assert read("") == Refused("OSACA's answer has no summary")
    assert read(PRINTED.replace("3.0", "!!python/object:os.system")) == Refused("OSACA's answer has no summary")


def test_the_tool_itself() -> None:
    """An add chain takes a cycle, and of eight independent loads three go in a cycle, as OSACA's data file has them."""
    pytest.importorskip("osaca")
    chain, loads, before = analyse(
        ["addq\t%rbx, %rax", "\n".join(f"movq\t{8 * k}(%rbp), %r{8 + k}" for k in range(6)), Refused("seen before")],
        "ZEN4",
    )
    assert isinstance(chain, Analysis) and isinstance(loads, Analysis)
    assert (chain.cycles, chain.unknown) == (1.0, False)
    assert loads.cycles == pytest.approx(2.0, abs=0.05)
    assert before == Refused("seen before")
