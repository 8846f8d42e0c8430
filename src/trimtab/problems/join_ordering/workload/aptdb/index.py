# SPDX-License-Identifier: Apache-2.0
"""The Debian package index: stanzas of ``Field: value`` lines (Debian Policy, section 5.1)."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from trimtab.core.errors import InvalidInstance, MissingData
from trimtab.core.extras import need_tool

_OPENERS: Final[Mapping[str, Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_RELATION = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)[^)]*\))?")


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Each paragraph as a mapping; a continuation line is joined to its field with one space."""
    fields: dict[str, str] = {}
    last = ""
    for line in lines:
        line = line.rstrip("\n")
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last:
                fields[last] += " " + line.strip()
        else:
            last, colon, value = line.partition(":")
            if not colon:
                raise InvalidInstance(f"package index: the line {line[:60]!r} has no colon")
            fields[last] = value.strip()
    if fields:
        yield fields


def machine_index() -> list[dict[str, str]]:
    """What apt knows on this machine: ``apt-cache dumpavail``."""
    program = need_tool("apt-cache", debian="apt", purpose="reading the machine's package index")
    with subprocess.Popen([program, "dumpavail"], stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        found = list(stanzas(process.stdout))
    if process.returncode or not found:
        raise MissingData("apt has no package index here.  apt-get update")
    return found


def read_index(path: Path) -> list[dict[str, str]]:
    """A ``Packages`` file, plain or compressed (.gz, .xz, .bz2)."""
    opener = _OPENERS.get(Path(path).suffix, open)
    try:
        file: IO[str]
        with opener(path, "rt", encoding="utf-8") as file:
            found = list(stanzas(file))
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise InvalidInstance(f"package index {path}: can't be read ({error})") from error
    if not any("Package" in fields for fields in found):
        raise InvalidInstance(f"package index {path}: there is no package in it")
    return found


def relations(value: str) -> Iterator[tuple[str, int, str]]:
    """(package name, place among the alternatives, version operator or '') of a relationship field."""
    for group in value.split(","):
        for place, alternative in enumerate(group.split("|")):
            match = _RELATION.match(alternative)
            if match:
                yield match[1], place, match[2] or ""
