# SPDX-License-Identifier: Apache-2.0
"""Traces as plain numbers, to compare them or to remember them by a digest."""

from __future__ import annotations

import hashlib

import numpy as np

from trimtab.core.errors import UsageError

from ..problem import Floats
from .simulation import Simulation

COLUMNS = ("time_ms", "kind", "job", "stage", "task", "executor")


def rows(simulation: Simulation) -> Floats:
    """The events in order, with `COLUMNS`; -1 where one does not apply.  (events, 6)"""
    if simulation.trace is None:
        raise UsageError("this simulation kept no trace: simulate(..., trace=True)")
    return np.stack([simulation.trace[name].astype(np.float64) for name in COLUMNS], axis=1)


def digest(values: Floats) -> str:
    """Of numbers in the order given, whatever the shape."""
    return hashlib.blake2b(np.ascontiguousarray(values, "<f8").tobytes(), digest_size=16).hexdigest()
