# SPDX-License-Identifier: Apache-2.0
"""What a transfer costs on the very links of a session: alpha and beta, and the CPU that it takes on both sides.

A program is run whose only purpose is to send: tensors of many sizes go from one
device to the other, each after the answer to the one before, so that every
transfer finds both sides idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.core.extras import need

from ..problem import Floats, OpGraph
from ..program.instructions import Node, Program, Ref, Shape
from ..program.reading import Runnable
from ..workload.building import GraphBuilder
from .session import Measured, Session

_SIZES: Final = tuple(round(2 ** (k / 2)) // 4 * 4 for k in range(22, 45))  # B, 2 kB to 4 MB
_LONGEST_S: Final = 0.25  # of one transfer; larger ones are left out on slow links


@dataclass(frozen=True, eq=False)
class LinkCosts:
    """From device i to j a transfer of B bytes takes ``alpha_s[i, j] + beta_s_per_B[i, j] * B``."""

    alpha_s: Floats  # (devices, devices)
    beta_s_per_B: Floats  # noqa: N815  (devices, devices)
    gap_s: float  # between the end of an op and the start of the next on one device: what calling an op costs
    cpu_s: float  # per transfer, of sender and receiver together
    cpu_s_per_B: float  # noqa: N815
    error: float  # median relative error of the fit


def calibrate(session: Session, repeats: int = 3) -> LinkCosts:
    """Measures every pair of devices. The session's program is another one afterwards: load yours again."""
    k = len(session.workers)
    alpha, beta = np.zeros((k, k)), np.zeros((k, k))
    sizes = [s for s in _SIZES if not session.bytes_per_s or s / session.bytes_per_s < _LONGEST_S]
    runnable, graph = _ping(sizes)
    session.load(runnable, graph)
    errors, cpu = [], []
    for a in range(k):
        for b in range(k):
            if a == b:
                continue
            device = np.array([a, b] * len(sizes))
            session.step(device)
            steps = [session.step(device) for _ in range(repeats)]
            seconds = np.median([_transfers(step, b, graph.tensor_op) for step in steps], axis=0)
            alpha[a, b], beta[a, b], error = fit(np.array(sizes, float), seconds)
            errors.append(error)
            cpu += [float(step.cpu.sum() - step.busy.sum()) for step in steps]
    moved = 2 * len(sizes), float(sum(sizes))
    per_message, gap = _small(session)
    return LinkCosts(
        alpha, beta, gap, per_message, max(0.0, (float(np.median(cpu)) - moved[0] * per_message) / moved[1]),
        float(np.median(errors)),
    )  # fmt: skip


def fit(sizes: Floats, seconds: Floats) -> tuple[float, float, float]:
    """alpha and beta of no less than 0, by least squares of seconds; the median relative error of the larger half.

    Not by relative errors: a token bucket lets the first bytes after a pause through at once, so that
    small sizes lie on no line with the others, and small errors of them must not bend it.
    """
    from scipy.optimize import nnls

    (alpha, beta), _ = nnls(np.stack([np.ones(len(sizes)), sizes], 1), seconds)
    large = sizes >= np.median(sizes)
    return float(alpha), float(beta), float(np.median(np.abs((alpha + beta * sizes) / seconds - 1)[large]))


def _transfers(step: Measured, to: int, tensor_op: Any) -> list[float]:
    """Of each large tensor, the time from its op's end to its arrival."""
    return [
        at - float(step.end[tensor_op[tensor]]) for (tensor, device), at in sorted(step.arrival.items()) if device == to
    ]


def _small(session: Session) -> tuple[float, float]:
    """CPU s of a transfer of almost nothing, both sides; and s between two ops of one device."""
    session.load(*_ping([64] * 64))
    device = np.array([0, 1] * 64)
    session.step(device)
    steps = [session.step(device) for _ in range(3)]
    cpu = float(np.median([step.cpu.sum() - step.busy.sum() for step in steps])) / 127
    alone = session.step(np.zeros(128, np.int64))
    order = np.argsort(alone.start)
    return cpu, float(np.median(alone.start[order][1:] - alone.end[order][:-1]))


def _ping(sizes: Sequence[int]) -> tuple[Runnable, OpGraph]:
    """Ops in pairs: one makes so many bytes from what came back, the other makes a number of them."""
    torch = need("torch", extra="learn", purpose="measuring links")
    scalar = Shape((), (), "float32", 4)
    nodes = [Node("constant", "zero", outputs=(scalar,))]
    state: dict[str, Any] = {"zero": torch.zeros(())}
    builder = GraphBuilder("ping", ("core",))
    back, tensors = Ref(0), []
    for i, size in enumerate(sizes):
        shape = Shape((size // 4,), (1,), "float32", size)
        state[f"from_{i}"] = torch.ones(size // 4)
        nodes.append(Node("constant", f"from_{i}", outputs=(shape,)))
        nodes.append(Node("op", f"make_{i}", "aten.add.Tensor", (Ref(len(nodes) - 1), back), outputs=(shape,)))
        nodes.append(Node("op", f"take_{i}", "aten.sum.default", (Ref(len(nodes) - 1),), outputs=(scalar,)))
        for name, node in (("make", nodes[-2]), ("take", nodes[-1])):
            builder.op(f"{name}_{i}", f"{name}_{i}", node.target, (0.0,))
        builder.tensor(("make", i), f"make_{i}", size)
        builder.read(("make", i), f"take_{i}")
        tensors.append(Ref(len(nodes) - 2))
        if i + 1 < len(sizes):
            builder.tensor(("take", i), f"take_{i}", 4)
            builder.read(("take", i), f"make_{i + 1}")
            tensors.append(Ref(len(nodes) - 1))
        back = Ref(len(nodes) - 1)
    return Runnable(Program("ping", tuple(nodes), (back,), {}, tuple(tensors)), state, ()), builder.build()
