# SPDX-License-Identifier: Apache-2.0
"""zstd's levels and advanced parameters; a parameter's bounds are found by asking the program to use it.

0 leaves a parameter to the level. Windows stay within what every decoder takes, 2^27 bytes.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from ..space import Knob, KnobSpace, Value
from .asking import ask, find, largest, smallest, version
from .pack import Pack, Setting

_Takes: TypeAlias = Callable[..., bool]  # does the program take these options?


def _parameter(name: str, low: int, high: int, about: str, *, log: bool = False, far: bool = False) -> Knob:
    when = {"long": (True,)} if far else {}
    return Knob(name, "int", 0, low, high, log=log, special=(0,), when=when, about=about)


#: names are those of ``--zstd=``
_PARAMETERS: Final = (
    _parameter("strat", 1, 9, "match finder, 1 fastest to 9 strongest"),
    _parameter("wlog", 14, 27, "window, log2 B"),
    _parameter("hlog", 10, 26, "hash table, log2 entries"),
    _parameter("clog", 10, 26, "chain or tree, log2 entries"),
    _parameter("slog", 1, 12, "searches a position, log2"),
    _parameter("mml", 3, 7, "shortest match, B"),
    _parameter("tlen", 1, 4096, "a match this long ends the search, B; of strategy 1: bytes skipped", log=True),
    _parameter("lhlog", 10, 26, "hash table of far matches, log2 entries", far=True),
    _parameter("lmml", 4, 4096, "shortest far match, B", log=True, far=True),
    _parameter("lblog", 1, 8, "bucket of far matches, log2 entries", far=True),
    _parameter("lhrlog", 1, 20, "one position in 2^this is entered", far=True),
)
_RARE: Final = ("literals", "check")  # only where everything is wanted
_SWITCHES: Final = {  # knob -> its default, and the option that turns it round
    "long": (False, "--long", "a second finder, of matches far back"),
    "row": (True, "--no-row-match-finder", "row-based match finder"),
    "literals": (True, "--no-compress-literals", "compress literals"),
    "check": (True, "--no-check", "checksum of the content"),
}


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    path = find(tool, "zstd", "zstd", name)
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "sample")
        sample.write_bytes(bytes(range(256)) * 16)

        def takes(*options: str) -> bool:
            command = [str(path), "-q", *options, "-c", str(sample)]
            return not subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

        return Pack(name, str(path), version(ask([path, "--version"])), _space(takes, everything), write)


def _space(takes: _Takes, everything: bool) -> KnobSpace:
    knobs = [Knob("level", "int", 3, 1, 22 if everything else 19, about="compression level")]
    for switch, (default, option, about) in _SWITCHES.items():
        if takes(option) and (everything or switch not in _RARE):
            knobs.append(Knob(switch, "bool", default, about=about))
    far = ["--long"] if takes("--long") else []
    for knob in _PARAMETERS:
        if not knob.when or far:
            cut = _cut(knob, lambda value, name=knob.name: takes(*far, f"--zstd={name}={value}"))
            knobs += [cut] if cut else []
    return KnobSpace(tuple(knobs))


def _cut(knob: Knob, takes: _Takes) -> Knob | None:
    """The knob with the part of its range that is taken; None if nothing of it is."""
    low, high = int(knob.low), int(knob.high)
    middle = next((value for value in ((low + high) // 2, low, high) if takes(value)), None)
    if middle is None:
        return None
    low, high = smallest(low, middle, takes), largest(middle, high, takes)
    return replace(knob, low=low, high=high) if low < high else None


def write(changed: Mapping[str, Value]) -> Setting:
    """``-12 --ultra --long --zstd=wlog=24,slog=5``."""
    args, parameters = [], []
    for name, value in changed.items():
        if name == "level":
            args += [f"-{value}"] + (["--ultra"] if isinstance(value, int) and value > 19 else [])
        elif name in _SWITCHES:
            args.append(_SWITCHES[name][1])
        else:
            parameters.append(f"{name}={value}")
    return Setting((*args, *(["--zstd=" + ",".join(parameters)] if parameters else [])))
