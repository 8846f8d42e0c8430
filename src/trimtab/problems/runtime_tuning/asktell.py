# SPDX-License-Identifier: Apache-2.0
"""`AskTell`: how an optimiser and whatever measures for it talk to each other."""

from __future__ import annotations

from typing import Protocol

from .problem import Trial
from .space import Values


class AskTell(Protocol):
    """Proposes configurations, is told what came of them, and says which it would keep.

    The first thing it asks for is the default. It may ask for a configuration again: a
    result is one noisy sample. `tell` takes trials that it did not ask for, too (a
    journal that is resumed, the default as control); telling the same trials in the same
    order to a new one with the same seed brings it to the same state, so that the next
    `ask` is the same: this is how a run is resumed.
    """

    def ask(self) -> Values: ...

    def tell(self, trial: Trial) -> None: ...

    def best(self) -> Values:
        """What it would keep: valid as far as it knows, and the default while nothing seems better."""
        ...
