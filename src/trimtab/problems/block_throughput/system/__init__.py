# SPDX-License-Identifier: Apache-2.0
"""trimtab's own measuring harness for basic blocks, and the backend that uses it.

A block is repeated U and 2U times between fences; what it takes is the difference,
in cycles of a chain of dependent additions timed in the same child process. README,
"What is real here", has the protocol and why each part of it is there.
"""

from __future__ import annotations

from .admission import Admitted, Refused, admit
from .backend import System
from .cpu import fingerprint
from .harness import Harness, Pool, Settings
from .passes import Label, Passes, Record, measure_labels

__all__ = [
    "Admitted",
    "Harness",
    "Label",
    "Passes",
    "Pool",
    "Record",
    "Refused",
    "Settings",
    "System",
    "admit",
    "fingerprint",
    "measure_labels",
]
