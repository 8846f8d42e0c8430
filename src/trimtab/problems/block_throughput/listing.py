# SPDX-License-Identifier: Apache-2.0
"""A prediction for people: every block's instructions with cycles, interval, bottleneck and each one's share."""

from __future__ import annotations

import json
from typing import Final

import numpy as np

from trimtab.core.backend import Backend
from trimtab.core.extras import need
from trimtab.core.problem import Rendering

from .problem import BlockSet, Explanation, Prediction

_SHOWN: Final = 60  # lines on the screen; the files have all


def render(instance: BlockSet, decision: Prediction, backend: Backend[BlockSet, Prediction], seed: int) -> Rendering:
    """A line of totals, the listing, and it in full as text and as JSON."""
    rows: list[dict[str, str | float]] = []
    blocks = []
    for at, code in enumerate(instance.blocks):
        why = decision.explain(code) if decision.explain and np.isfinite(decision.cycles[at]) else None
        head = _head(decision, at, why)
        text = disassemble(code)
        blocks.append({"block": at, "hex": code.hex(), **head})
        for number, line in enumerate(text):
            share = f"{100 * why.shares[number]:.0f} %" if why is not None and len(why.shares) == len(text) else ""
            first = head if number == 0 else dict.fromkeys(head, "")
            rows.append({"block": str(at) if number == 0 else "", **first, "share": share, "instruction": line})
    known = decision.cycles[np.isfinite(decision.cycles)]
    unit = "an iteration of the block unrolled" if instance.notion == "U" else "an iteration of the block as a loop"
    summary = f"{len(instance)} blocks on {instance.cpu}: {known.sum():.2f} cycles ({unit}, first-level cache hits)"
    more = len(rows) - _SHOWN
    summary += f"; the first {_SHOWN} of {len(rows)} instructions, --out has all" if more > 0 else ""
    return Rendering(summary, rows[:_SHOWN], {"listing.txt": _table(rows), "blocks.json": json.dumps(blocks, indent=1)})


def _head(decision: Prediction, at: int, why: Explanation | None) -> dict[str, str | float]:
    cycles = float(decision.cycles[at])
    if not np.isfinite(cycles):
        return {"cycles": "?", "90 % interval": "", "bottleneck": "no straight-line code"}
    interval = ""
    if decision.low is not None and decision.high is not None:
        interval = f"{decision.low[at]:.2f} to {decision.high[at]:.2f}"
    return {"cycles": round(cycles, 2), "90 % interval": interval, "bottleneck": why.bottleneck if why else ""}


def disassemble(code: bytes) -> list[str]:
    """Intel syntax, an instruction a line."""
    iced = need("iced_x86", extra="throughput", purpose="disassembling")
    formatter = iced.Formatter(iced.FormatterSyntax.INTEL)
    return [formatter.format(one) for one in iced.Decoder(64, code)]


def _table(rows: list[dict[str, str | float]]) -> str:
    heads = list(rows[0]) if rows else []
    cells = [heads, *([str(row[head]) for head in heads] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    last = len(heads) - 1
    return "".join(
        "  ".join(cell if at == last else cell.ljust(widths[at]) for at, cell in enumerate(line)).rstrip() + "\n"
        for line in cells
    )
