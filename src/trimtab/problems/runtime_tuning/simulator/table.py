# SPDX-License-Identifier: Apache-2.0
"""`Table`: configurations of one target, each with what measuring it gave.

A file is JSON lines, compressed by xz: a header, then one line a run, in the order
measured.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from trimtab.core.errors import InvalidInstance, TrimtabError

from ..problem import Objective, Status
from ..space import KnobSpace, Value

FORMAT: Final = "trimtab-knob-table/1"
_LARGEST: Final = 64 << 20  # bytes, unpacked: a table is small, and what unpacks to more is none


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run."""

    v: tuple[bool | int | float | str | tuple[str, ...], ...]  # values, in the order of the space's knobs
    s: Status = "ok"
    l: float | None = None  # noqa: E741  log ratio to the default beside it; a bound where censored
    m: dict[str, float] = {}  # further metrics, SI


@dataclass(frozen=True)
class Table:
    """Measurements of a target. `about`: command, machine, date, licence, origin."""

    name: str
    space: KnobSpace
    objective: Objective
    rows: tuple[Row, ...] = field(compare=False)
    about: Mapping[str, str] = field(default_factory=dict)
    digest: str = field(init=False)  # of the rows, for which it stands where tables are compared

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.blake2b(msgspec.json.encode(self.rows), digest_size=16).hexdigest())
        for number, row in enumerate(self.rows, 1):
            if len(row.v) != len(self.space.knobs):
                raise InvalidInstance(f"row {number}: {len(row.v)} values for {len(self.space.knobs)} knobs")
            for knob, value in zip(self.space.knobs, row.v, strict=True):
                if not knob.holds(value):
                    raise InvalidInstance(f"row {number}: knob {knob.name!r} can't be {value!r}")
            if row.s in ("ok", "censored", "constraint") and (row.l is None or not math.isfinite(row.l)):
                raise InvalidInstance(f"row {number}: status {row.s!r} needs a finite loss")

    def values(self, row: Row) -> dict[str, Value]:
        return {knob.name: value for knob, value in zip(self.space.knobs, row.v, strict=True)}

    @classmethod
    def load(cls, path: Path) -> Table:
        """Raises `InvalidInstance` with the file's name and what is wrong."""
        try:
            lines = _unpacked(path).splitlines()
            header = msgspec.json.decode(lines[0]) if lines else {}
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise InvalidInstance(
                    f"not a table of knob measurements (its first line should have format {FORMAT!r})"
                )
            space = space_of(header["space"])
            objective = msgspec.convert(header.get("objective", {}), Objective)
            read = msgspec.json.Decoder(Row)
            rows = tuple(read.decode(line) for line in lines[1:])
            about = {k: str(v) for k, v in header.items() if k not in ("format", "name", "space", "objective")}
            return cls(str(header["name"]), space, objective, rows, about)
        except (TrimtabError, msgspec.MsgspecError, lzma.LZMAError, EOFError, OSError) as error:
            raise InvalidInstance(f"{path}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInstance(f"{path}: its header is not as it should be: {error!r}") from error

    def save(self, path: Path) -> None:
        """Written whole or not at all."""
        header = {
            "format": FORMAT,
            "name": self.name,
            "space": plain(self.space),
            "objective": msgspec.to_builtins(self.objective),
            **self.about,
        }
        encode = msgspec.json.encode
        text = b"\n".join([encode(header), *(encode(row) for row in self.rows)]) + b"\n"
        packed = lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(packed)
        part.replace(path)


def _unpacked(path: Path) -> bytes:
    reader = lzma.LZMADecompressor()
    text = reader.decompress(path.read_bytes(), max_length=_LARGEST)
    if not reader.eof:
        raise InvalidInstance(f"it is cut off, or unpacks to more than {_LARGEST >> 20} MiB")
    return text


def plain(space: KnobSpace) -> dict[str, Any]:
    """Without what is as by default, and without infinities, which JSON has none of."""
    knobs = []
    for knob in msgspec.to_builtins(space.knobs):
        plain = {
            k: v
            for k, v in knob.items()
            if k == "default" or not (v is False or v in ("", [], {}, -math.inf, math.inf))
        }
        knobs.append({k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()})
    return {"knobs": knobs, "forbidden": msgspec.to_builtins(space.forbidden)}


def space_of(plain: Any) -> KnobSpace:
    return msgspec.convert(plain, KnobSpace)
