# SPDX-License-Identifier: Apache-2.0
"""Text files of ``xinyuyao/Doppler`` (DOPPLER, ICLR 2026): sharded graphs of einsum ops.

Line 1 the number of nodes with inputs, line 2 the inputs, lines 3 and 4 the ends of
the edges among the other nodes, then a line ``compute,communication[,kind]`` for
each of these. The compute number is FLOP-like, the other one bytes-like and always
4 times it; the paper's simulator takes both for time. Here: FLOP at `FLOPS`, bytes
at `BANDWIDTH`, so that a transfer takes 4 times what its producer computed.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from trimtab.core.errors import InvalidInstance

from ..problem import PlacementInstance, homogeneous
from .building import GraphBuilder

FLOPS: Final = 1e12  # per s: nominal, ratios do not depend on it
BANDWIDTH: Final = 1e12  # B per s


def read(text: bytes, name: str, devices: int = 0, queue: str = "fifo") -> PlacementInstance:
    """One instance on equal devices with links that do not contend: 8 devices where the name says so, else 4."""
    stem = PurePosixPath(name).stem
    count = devices or (8 if "8gpu" in stem else 4)
    try:
        lines = [line.strip() for line in text.decode("ascii").splitlines()]
        rows = [line.split(",") for line in lines[4:] if line]
        source, target = (_numbers(lines[at]) for at in (2, 3))
        if len(source) != len(target) or not rows:
            raise InvalidInstance(f"{name}: {len(source)} sources, {len(target)} targets and {len(rows)} nodes")
        builder = GraphBuilder(stem, ("accelerator",), family=family_of(stem))
        for node, row in enumerate(rows):
            kind = row[2].strip() if len(row) > 2 else "einsum"
            builder.op(node, f"{kind}{node}", kind, (float(row[0]) / FLOPS,))
            builder.tensor(node, node, float(row[1]))
        for a, b in zip(source, target, strict=True):
            builder.read(a, b)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise InvalidInstance(f"{name}: not a DOPPLER graph ({error})") from error
    topology = homogeneous(
        f"{count} accelerators", count, kind="accelerator", bandwidth=BANDWIDTH, links="parallel", queue=queue
    )
    return PlacementInstance(builder.build(), topology)


def family_of(stem: str) -> str:
    """chain, ffnn or transformer."""
    return next((word for word in ("chain", "ffnn", "transformer") if word in stem), stem)


def _numbers(line: str) -> list[int]:
    return [int(word) for word in line.replace(",", " ").split()]
