# SPDX-License-Identifier: Apache-2.0
"""llvm-mca (Debian package llvm-19): blocks disassembled with llvm-mc, analysed as regions, hundreds a process.

llvm-mca simulates a number of iterations of a block from an empty pipeline and
reports the cycles of all; the ramp-up is in them. The *steady state* is the
difference between two numbers of iterations. *Block RThroughput* is its other
output: the bound from dispatch width and resources alone, without dependencies.

Source: the LLVM manual, "llvm-mca - LLVM Machine Code Analyzer".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import MissingTool
from trimtab.core.extras import need_tool

from .process import Refused, ToolError, in_halves, run

Floats = NDArray[np.float64]

BATCH: Final = 400  # blocks a process
ITERATIONS: Final = 100  # and twice as many for the steady state

# An instruction that no compiler emits, between two blocks: nopl 0x5bd1e995(%rax).
_MARKER: Final = "0x0f 0x1f 0x80 0x95 0xe9 0xd1 0x5b"
_MARKER_TEXT: Final = "nopl\t1540483477(%rax)"
_PREFIXES: Final = frozenset({"lock", "rep", "repne", "data16", "notrack", "xacquire", "xrelease"})


@dataclass(frozen=True)
class Analysis:
    """llvm-mca's figures, all in core cycles per iteration; NaN where it gave no answer."""

    total: Floats  # (blocks,) Total Cycles / iterations, ramp-up included
    steady: Floats  # (blocks,) from differencing; NaN unless it was asked for
    rthroughput: Floats  # (blocks,)
    refused: dict[int, str]  # position -> reason


def analyse(blocks: Sequence[bytes], mcpu: str, *, steady: bool = True) -> Analysis:
    """llvm-mca's opinion of blocks of machine code (x86-64)."""
    listings = disassemble(blocks, mcpu)
    return analyse_text(listings, mcpu, steady=steady)


def analyse_text(
    listings: Sequence[str | Refused],
    mcpu: str,
    *,
    steady: bool = True,
    iterations: int = ITERATIONS,
    syntax: Literal["att", "intel"] = "att",
) -> Analysis:
    """The same for assembly text, one listing a block."""
    refused = {at: item.reason for at, item in enumerate(listings) if isinstance(item, Refused)}
    figures = np.full((3, len(listings)), np.nan)
    kept = [(at, text) for at, text in enumerate(listings) if isinstance(text, str)]
    tool = tool_path("llvm-mca")
    for batch in _batches(kept):
        once = in_halves(batch, partial(_summaries, tool, mcpu, iterations, syntax))
        twice = in_halves(batch, partial(_summaries, tool, mcpu, 2 * iterations, syntax)) if steady else once
        for (at, _), first, second in zip(batch, once, twice, strict=True):
            bad = next((answer for answer in (first, second) if isinstance(answer, Refused)), None)
            if bad is not None:
                refused[at] = bad.reason
            elif not isinstance(first, Refused) and not isinstance(second, Refused):
                slope = (second[0] - first[0]) / iterations if steady else np.nan
                figures[:, at] = first[0] / iterations, slope, first[1]
    total, steady_state, rthroughput = figures
    return Analysis(total, steady_state, rthroughput, refused)


def disassemble(blocks: Sequence[bytes], mcpu: str) -> list[str | Refused]:
    """AT&T text of each block, one instruction a line, as llvm-mc writes it."""
    tool = tool_path("llvm-mc")
    found: list[str | Refused] = []
    for batch in _batches(blocks, 16 * BATCH):
        found += in_halves(batch, partial(_listings, tool, mcpu))
    return found


def tool_path(name: str) -> Path:
    """Debian's name has the version in it; elsewhere a new enough one without it will do."""
    try:
        return need_tool(f"{name}-19", debian="llvm-19")
    except MissingTool:
        return need_tool(name, debian="llvm-19", minimum="19", purpose=f"the baseline llvm_mca ({name})")


def _batches(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _listings(tool: Path, mcpu: str, blocks: Sequence[bytes]) -> list[str | Refused]:
    text = "".join(f"{' '.join(f'0x{byte:02x}' for byte in block)} {_MARKER}\n" for block in blocks)
    # of bytes that are no instruction it only warns, and goes on behind them
    printed = run([tool, "--disassemble", "--triple=x86_64", f"--mcpu={mcpu}"], text, warnings_are_errors=True)
    *parts, rest = printed.split(f"\t{_MARKER_TEXT}\n")
    if rest.strip() or len(parts) != len(blocks):
        raise ToolError("llvm-mc decodes these bytes otherwise than as whole instructions")
    return [_joined(part) for part in parts]


def _joined(part: str) -> str:
    """Without comments and directives; a prefix on a line of its own joins its instruction."""
    lines: list[str] = []
    prefix = ""
    for line in part.splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith("."):
            continue
        if text in _PREFIXES:
            prefix += f"{text} "
            continue
        lines.append(prefix + text)
        prefix = ""
    return "\n".join(lines)


def _summaries(
    tool: Path, mcpu: str, iterations: int, syntax: str, batch: Sequence[tuple[int, str]]
) -> list[tuple[float, float]]:
    """(Total Cycles, Block RThroughput) of each listing."""
    head = ".intel_syntax noprefix\n" if syntax == "intel" else ""
    text = "".join(f"# LLVM-MCA-BEGIN b{at}\n{body}\n# LLVM-MCA-END b{at}\n" for at, body in batch)
    options = ["--mtriple=x86_64", f"--mcpu={mcpu}", f"--iterations={iterations}", "--json"]
    printed = run([tool, *options, "--instruction-info=0", "--resource-pressure=0"], head + text)
    try:
        regions = {r["Name"]: r["SummaryView"] for r in json.loads(printed)["CodeRegions"]}
        return [
            (float(regions[f"b{at}"]["TotalCycles"]), float(regions[f"b{at}"]["BlockRThroughput"])) for at, _ in batch
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"llvm-mca's answer can't be read: {error!r}") from error
