# SPDX-License-Identifier: Apache-2.0
"""Targets of runtime_tuning: shipped tables, public ones, live programs, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.core.errors import InvalidInstance

from ..problem import Target
from .suites import SUITES
from .suites import shipped as instances

__all__ = ["SUITES", "instances", "parse"]


def parse(paths: Sequence[Path]) -> Mapping[str, Target]:
    """The user's own targets: knobs and a command (``.toml``), or what `capture` wrote (``.jsonl.xz``)."""
    found: dict[str, Target] = {}
    for path in map(Path, paths):
        target = _read(path)
        if target.name in found:
            raise InvalidInstance(f"{path}: a second target has the name {target.name!r}")
        found[target.name] = target
    return found


def _read(path: Path) -> Target:
    if path.name.endswith(".jsonl.xz"):
        from ..simulator import Replay, Table

        table = Table.load(path)
        return Target(table.name, table.space, table.objective, replay=Replay(table, table.name))
    if path.suffix == ".toml":
        from ..spacefile import read_target

        return read_target(path)
    raise InvalidInstance(f"{path}: neither a .toml with knobs and a command nor a table of measurements (.jsonl.xz)")
