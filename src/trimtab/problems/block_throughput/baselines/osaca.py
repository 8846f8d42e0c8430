# SPDX-License-Identifier: Apache-2.0
"""OSACA (AGPL-3.0) as a subprocess, one for each block: throughput bound of the ports, and loop-carried dependency.

Source: Laukemann, Hammer, Hager, Wellein: Automatic Throughput and Critical Path
Analysis of x86 and ARM Assembly Kernels. PMBS 2019.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.core.errors import MissingExtra, Unavailable
from trimtab.core.task import Task

from ..problem import BlockSet, Prediction
from .cores import core_of
from .llvm import disassemble
from .process import Refused, ToolError, run, tell

_LOG: Final = logging.getLogger("trimtab")

MOST: Final = 200  # blocks; OSACA starts anew for each, which takes about half a second
_SUMMARY: Final = re.compile(r"^Summary:\n  CriticalPath: ([\d.]+)\n  LCD: ([\d.]+)\n  PortPressure: \{([^}]*)\}", re.M)
_UNKNOWN: Final = re.compile(r"^Warnings: \[.*UnknownInstrWarning", re.M)


@dataclass(frozen=True)
class Osaca:
    """The solver: the greater of OSACA's two bounds, for instances of few blocks.

    Where it has no data for an instruction it counts that as free; a block of which
    it knows no instruction has no answer.
    """

    most: int = MOST
    track = "policy"
    deterministic = True

    @property
    def config(self) -> dict[str, Any]:
        return {"most": self.most}

    def solve(self, task: Task[BlockSet, Prediction]) -> Prediction:
        """Raises `Unavailable` for more blocks than `most`, and for a CPU that OSACA does not know."""
        blocks, core = task.instance.blocks, core_of(task.instance.cpu)
        if len(blocks) > self.most:
            raise Unavailable(
                f"OSACA takes about half a second a block, so {len(blocks)} blocks are too many (most {self.most}). "
                "A sample of them:  python benchmarks/block_throughput_mca.py --osaca 200"
            )
        found = analyse(disassemble(blocks, core.mcpu), core.osaca)
        tell("osaca", found)
        known = [item for item in found if isinstance(item, Analysis)]
        if any(item.unknown for item in known):
            count = sum(item.unknown for item in known)
            _LOG.info("osaca: it has no data for some instruction of %d of %d blocks", count, len(blocks))
        cycles = [item.cycles if isinstance(item, Analysis) else 0.0 for item in found]
        return Prediction(np.array([value or np.nan for value in cycles]))


@dataclass(frozen=True)
class Analysis:
    """OSACA's figures for one block, in cycles per iteration."""

    throughput: float  # the busiest port
    loop_carried: float  # the longest dependency from one iteration to the next
    unknown: bool  # it has no data for some instruction of the block, and counted that as free

    @property
    def cycles(self) -> float:
        """What the block can't be faster than, by both bounds."""
        return max(self.throughput, self.loop_carried)


def analyse(listings: Sequence[str | Refused], arch: str) -> list[Analysis | Refused]:
    """OSACA's opinion of AT&T listings; a tenth of a second to half a second each."""
    if importlib.util.find_spec("osaca") is None:
        raise MissingExtra("the baseline osaca needs osaca.  pip install 'trimtab[osaca]'")
    return [item if isinstance(item, Refused) else _ask(item, arch) for item in listings]


def _ask(listing: str, arch: str) -> Analysis | Refused:
    options = ["--arch", arch, "--syntax", "ATT", "--ignore-unknown", "--out", "/dev/null", "--yaml-out", "/dev/stdout"]
    try:
        printed = run([sys.executable, "-P", "-m", "osaca", *options, "/dev/stdin"], listing + "\n", timeout_s=60)
    except ToolError as error:
        return Refused(str(error))
    return read(printed)


def read(printed: str) -> Analysis | Refused:
    """The summary of OSACA's YAML. Only that part: the rest names Python classes, which no reader should build."""
    found = _SUMMARY.search(printed)
    if found is None:
        return Refused("OSACA's answer has no summary")
    ports = [float(value) for value in re.findall(r": +([\d.]+)", " ".join(found[3].split()))]
    return Analysis(max(ports, default=0.0), float(found[2]), _UNKNOWN.search(printed) is not None)
