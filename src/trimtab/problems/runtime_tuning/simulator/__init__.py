# SPDX-License-Identifier: Apache-2.0
"""Targets replayed from tables of real measurements."""

from .backend import Simulator
from .replay import Fidelity, Replay
from .table import Row, Table

__all__ = ["Fidelity", "Replay", "Row", "Simulator", "Table"]
