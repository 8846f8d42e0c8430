# SPDX-License-Identifier: Apache-2.0
"""Seconds of each op, by the clock of the thread that runs it, checked against the whole.

The clock of a thread stands still while others run, so that a busy machine spoils
little. Ops are timed where they stand, one after another as in a step: an op
alone, repeated, would find its inputs in the nearest cache.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.core.errors import TrimtabError

from ..program.execute import Executable, Values

#: The sum of ops may differ from the whole by so much.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Profile:
    """Medians over runs."""

    seconds: np.ndarray  # (ops,) s of CPU
    whole_s: float  # all ops in one go, without clocks between them
    agreement: float  # sum of ops / whole


def run_timed(executable: Executable, leaves: Values) -> tuple[list[int], int, int]:
    """ns of CPU of each op; of a run with clocks between ops; and of one without them."""
    import torch

    drop, clock = executable.drops, time.thread_time_ns
    spent, values, again = [], Values(leaves), Values(leaves)
    with torch.no_grad():
        started = clock()
        for at, step in executable.steps.items():
            before = clock()
            step(values)
            spent.append(clock() - before)
            for value in drop.get(at, ()):
                values[value] = None
        timed = clock() - started
        values.clear()
        started = clock()
        executable.run_ops(again)
        whole = clock() - started
    return spent, timed, whole


def summary(runs: Sequence[tuple[Sequence[int], int, int]]) -> Profile:
    """The first run warms up. Raises `TrimtabError` where ops and whole disagree."""
    kept = runs[1:] if len(runs) > 1 else runs
    seconds = np.median([ops for ops, _, _ in kept], axis=0) * 1e-9
    whole = float(np.median([whole for _, _, whole in kept])) * 1e-9
    agreement = float(seconds.sum()) / whole
    if not 1 - TOLERANCE <= agreement <= 1 + TOLERANCE:
        raise TrimtabError(
            f"ops take {seconds.sum():.4f} s one by one and {whole:.4f} s together ({agreement:.2f}): this machine is "
            "too busy for a profile"
        )
    return Profile(seconds, whole, agreement)
