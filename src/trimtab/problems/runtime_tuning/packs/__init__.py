# SPDX-License-Identifier: Apache-2.0
"""Knob packs: the knobs of well-known programs, with defaults, ranges and validity read from the program that is here.

A pack is loaded for a tool (``load("jvm", "/opt/jdk/bin/java")``), asks it what it
knows, and writes a configuration as that tool reads it: arguments, environment
variables, or files in the directory of the run. Only what differs from the default is written.
"""

from __future__ import annotations

from .pack import Pack, Setting

__all__ = ["PACKS", "Pack", "Setting", "base", "load", "names"]

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from trimtab.core.errors import UnknownName

#: name -> the module whose ``load(tool, everything) -> Pack`` makes it, and its tool
PACKS: Final = {
    "jvm": ("jvm", "java"),
    "gcc": ("gcc", "gcc"),
    "clang": ("clang", "clang"),
    "postgresql": ("postgresql", "postgres"),
    "redis": ("redis", "redis-server"),
    "sqlite": ("sqlite", "sqlite3"),
    "zstd": ("zstd", "zstd"),
    "xz": ("xz", "xz"),
    "openmp": ("environment", ""),
    "malloc": ("environment", ""),
}


def names() -> tuple[str, ...]:
    return tuple(PACKS)


def load(name: str, tool: str = "", *, everything: bool = False, base: Sequence[str] = ()) -> Pack:
    """The pack, for the tool at a path (by default the one on PATH).

    `everything` gives all the knobs that the tool tells of, instead of the ones that
    tend to matter. `base` are arguments that the command gives the tool in any case
    (``-XX:ActiveProcessorCount=2``, ``-O3``): the defaults are those beside them.
    Raises `MissingTool` if the tool is not here.
    """
    if name not in PACKS:
        raise UnknownName("knob pack", name, PACKS)
    module, _ = PACKS[name]
    pack: Pack = import_module(f".{module}", __name__).load(name, tool, everything, tuple(base))
    return pack


def base(name: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Those arguments of a command that move the defaults of a pack's tool."""
    wanted = {"jvm": "-X", "gcc": "-O", "clang": "-O"}.get(name)
    return tuple(word for word in argv if wanted and word.startswith(wanted) and "{" not in word)
