# SPDX-License-Identifier: Apache-2.0
"""SQLite's pragmas; a value is on offer if the library gives it back after it was set.

What changes whether data survive a crash (``synchronous``, a journal in memory or none)
is never on offer. The pack writes options of the ``sqlite3`` shell, and the same
pragmas into ``{run}/pragmas.sql``, for any other program to run when it opens a database.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import Unavailable

from ..space import Knob, KnobSpace, Value
from .asking import ask, find, version
from .pack import Pack, Setting

FILE: Final = "pragmas.sql"
_WAL: Final[Mapping[str, tuple[Value, ...]]] = {"journal_mode": ("wal",)}
#: in the order in which they are run: the first three shape a file that is not there yet
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "page_size": tuple(str(1 << k) for k in range(9, 17)),
    "auto_vacuum": ("0", "1", "2"),
    "journal_mode": ("delete", "truncate", "persist", "wal"),
    "locking_mode": ("normal", "exclusive"),
    "temp_store": ("0", "1", "2"),
    "automatic_index": ("0", "1"),
    "cache_spill": ("0", "1"),
}
_NUMBERS: Final[Mapping[str, tuple[int, int, Mapping[str, Any]]]] = {
    "cache_size": (64, 1 << 20, {"log": True, "unit": "KiB"}),
    "mmap_size": (1 << 16, 1 << 30, {"log": True, "unit": "B", "special": (0,), "about": "0: none"}),
    "wal_autocheckpoint": (10, 100_000, {"log": True, "unit": "pages", "when": _WAL}),
    "threads": (1, 8, {"special": (0,), "about": "helpers of a sort"}),
}


class _Shell:
    """Pragmas of a database in a temporary directory, each time a new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *statements: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            command = [self.path, "-batch", Path(folder, "database"), *statements]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.split()

    def default(self, pragma: str) -> str:
        said = self.run(f"PRAGMA {pragma};")
        return said[-1] if said else ""

    def takes(self, pragma: str, value: str) -> bool:
        said = self.run(f"PRAGMA {pragma} = {value};", "CREATE TABLE t(x);", f"PRAGMA {pragma};")
        return bool(said) and said[-1] == value


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    path = find(tool, "sqlite3", "sqlite3", name)
    shell = _Shell(path)
    knobs = (*_choices(shell), *_numbers(shell))
    if not knobs:
        raise Unavailable(f"{path} does not answer pragmas: is it the shell of SQLite?")
    return Pack(name, str(path), version(ask([path, "--version"])), KnobSpace(knobs), write)


def _choices(shell: _Shell) -> Iterator[Knob]:
    for pragma, values in _CHOICES.items():
        default = shell.default(pragma)
        if pragma == "cache_spill" and default not in values:  # it tells a number of pages
            default = "1" if default else ""
            kept = values if default else ()
        else:
            kept = tuple(value for value in values if value == default or shell.takes(pragma, value))
        if default in kept and len(kept) > 1:
            typed = tuple(_typed(value) for value in kept)
            if set(kept) == {"0", "1"}:
                yield Knob(pragma, "bool", default == "1")
            else:
                yield Knob(pragma, "enum", _typed(default), values=typed)


def _typed(value: str) -> int | str:
    return int(value) if value.isdigit() else value


def _numbers(shell: _Shell) -> Iterator[Knob]:
    for pragma, (low, high, more) in _NUMBERS.items():
        told = shell.default(pragma)
        if not told.removeprefix("-").isdigit():
            continue
        default = int(told)
        if pragma == "cache_size":  # below 0: KiB; above: pages
            default = -default if default < 0 else default * int(shell.default("page_size")) // 1024
        most = next((m for m in (high, high >> 3, high >> 6) if _takes_number(shell, pragma, m)), None)
        if most is None or not (default in more.get("special", ()) or low <= default <= most):
            continue
        yield Knob(pragma, "int", default, low, most, **more)


def _takes_number(shell: _Shell, pragma: str, value: int) -> bool:
    return shell.takes(pragma, _number(pragma, value))


def _number(pragma: str, value: Value) -> str:
    return f"-{value}" if pragma == "cache_size" else str(value)


def write(changed: Mapping[str, Value]) -> Setting:
    """``-cmd 'PRAGMA page_size = 8192;'``; what the pragmas themselves print is thrown away."""
    order = {name: place for place, name in enumerate((*_CHOICES, *_NUMBERS))}
    names = sorted(changed, key=lambda name: order[name])
    lines = [f"PRAGMA {name} = {_show(name, changed[name])};" for name in names]
    quiet = [f".output {os.devnull}", *lines, ".output stdout"] if lines else []
    text = "".join(f"{line}\n" for line in lines)
    return Setting(tuple(part for line in quiet for part in ("-cmd", line)), files={FILE: text})


def _show(name: str, value: Value) -> str:
    return str(int(value)) if isinstance(value, bool) else _number(name, value)
