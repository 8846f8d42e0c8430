# SPDX-License-Identifier: Apache-2.0
"""The real system: any command, started, measured and judged."""

from .backend import System
from .command import Command, Invocation

__all__ = ["Command", "Invocation", "System"]
