# SPDX-License-Identifier: Apache-2.0
"""What other programs taught: models of recorded tables, for the spaces that have the same knobs."""

from .memory import Hints, Memory, Recorded

__all__ = ["Hints", "Memory", "Recorded"]
