# SPDX-License-Identifier: Apache-2.0
"""`Memory`: models of recorded programs, and which of them may speak about a space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError, TrimtabError
from trimtab.kit.weights import load_weights, read_card

from ..encoding import Encoding, Floats
from ..simulator.table import plain, space_of
from ..space import KnobSpace
from .network import Network
from .translation import Translation

SHIPPED: Final = Path(__file__).with_name("programs.safetensors")
_KNOWN: Final = 0.8  # of a recorded program's knobs, at least, are in a space that it may speak about


@dataclass(frozen=True)
class Recorded:
    """One program: its knobs, and a model of its losses (standardised, the bad side compressed: `Scale`)."""

    name: str
    digest: str  # of the table's rows
    encoding: Encoding
    network: Network


class Hints:
    """What recorded programs say of the configurations of a space.

    Only those speak that know most of its knobs. Programs with the same knobs share
    the features of a configuration, which are most of the work.
    """

    def __init__(self, programs: Iterable[Recorded], space: KnobSpace) -> None:
        here = Encoding(space)
        groups: dict[bytes, tuple[Translation, list[Recorded]]] = {}
        for program in programs:
            key = msgspec.json.encode(plain(program.encoding.space))
            if key not in groups:
                groups[key] = Translation(here, program.encoding), []
            groups[key][1].append(program)
        self._groups = [(t, p) for t, p in groups.values() if t.share >= _KNOWN]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for _, programs in self._groups for p in programs)

    def __call__(self, codes: Floats) -> Floats:
        """Losses, standardised.  (n, len(names))"""
        columns = []
        for translation, programs in self._groups:
            x = programs[0].encoding.features(translation(codes))
            columns += [program.network(x) for program in programs]
        return np.column_stack(columns)


@dataclass(frozen=True)
class Memory:
    """Recorded programs."""

    programs: tuple[Recorded, ...]

    def without(self, name: str, digest: str = "") -> Memory:
        """Nothing of a program itself: neither its table, nor one of its name (``java-h2`` is ``h2``, run here)."""
        name = name.removeprefix("java-")
        return Memory(tuple(p for p in self.programs if p.name != name and p.digest != digest))

    def hints(self, space: KnobSpace) -> Hints | None:
        """None where no program knows most of its knobs."""
        found = Hints(self.programs, space)
        return found if found.names else None

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Raises `DataError` where the file does not hold recorded programs."""
        return cls.of(*load_weights(path, shapes(read_card(path), path)))

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[np.float32]], card: Mapping[str, Any]) -> Memory:
        found = []
        for name, about in card["programs"].items():
            arrays = {key.removeprefix(f"{name}."): a for key, a in weights.items() if key.startswith(f"{name}.")}
            found.append(Recorded(name, about["digest"], Encoding(space_of(about["space"])), Network.of(arrays)))
        return cls(tuple(found))


def shapes(card: Mapping[str, Any], path: Path) -> dict[str, tuple[int, ...]]:
    """Of the arrays that a card announces."""
    try:
        inputs = {name: len(Encoding(space_of(p["space"])).feature_owner) for name, p in card["programs"].items()}
        for about in card["programs"].values():
            str(about["digest"])
    except (TrimtabError, msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"weights file {path}: its card tells of no recorded programs: {error!r}") from error
    return {f"{name}.{part}": shape for name, size in inputs.items() for part, shape in Network.shapes(size).items()}
