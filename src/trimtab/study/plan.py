# SPDX-License-Identifier: Apache-2.0
"""`Plan`: what a study was asked, in full. Kept as ``study.json``, it gives back the key of every cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from trimtab.core.outcome import Track
from trimtab.core.problem import Metric
from trimtab.core.task import Budget

from .ledger import cell_key


@dataclass(frozen=True)
class Entrant:
    """A solver as it enters a study."""

    name: str
    track: Track
    fingerprint: str  # of its name, config and weights
    unavailable: str = ""  # why it can't run here, and the command that mends it


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment: a solver on an instance with a seed."""

    key: str
    instance: str
    solver: str
    track: Track
    seed: int
    entropy: int  # of every draw in the cell; the same for all solvers


@dataclass(frozen=True)
class Plan:
    problem: str
    question: str
    version: str
    backend: str
    split: str
    suite: str
    metrics: tuple[Metric, ...]
    reference: str
    budget: Budget  # of the search track
    seeds: tuple[int, ...]
    entrants: tuple[Entrant, ...]
    instances: dict[str, str]  # name -> fingerprint

    def cells(self) -> list[Cell]:
        """Every cell, solvers innermost, so that what is compared runs one after the other.

        The solvers' order is turned round from seed to seed: a machine that slows
        down while it is timed does not favour those that come first.
        """
        return [
            self._cell(entrant, name, fingerprint, seed)
            for name, fingerprint in self.instances.items()
            for turn, seed in enumerate(self.seeds)
            for entrant in self.entrants[:: -1 if turn % 2 else 1]
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values; an unlimited budget is null, since JSON has no infinity."""
        fields = asdict(self)
        return fields | {"budget": {name: finite(value) for name, value in fields["budget"].items()}}

    @classmethod
    def from_json(cls, text: bytes) -> Plan:
        fields = msgspec.json.decode(text)
        limits = {name: math.inf if value is None else value for name, value in fields["budget"].items()}
        return msgspec.convert(fields | {"budget": limits}, cls)

    def _cell(self, entrant: Entrant, instance: str, fingerprint: str, seed: int) -> Cell:
        budget = allowance(self.budget, entrant.track)
        key = cell_key(self.problem, self.version, fingerprint, self.backend, entrant.fingerprint, budget, seed)
        return Cell(key, instance, entrant.name, entrant.track, seed, _entropy(fingerprint, seed))


def allowance(budget: Budget, track: Track) -> Budget:
    """What a solver of the track may spend: a policy decides without evaluating."""
    return budget if track == "search" else Budget(evaluations=0, seconds=budget.seconds)


def finite(value: float) -> float | None:
    """None for an infinity, as the ledger writes "unlimited"."""
    return value if math.isfinite(value) else None


def _entropy(instance: str, seed: int) -> int:
    return int.from_bytes(blake2b(f"{instance} {seed}".encode(), digest_size=4).digest(), "little")
