# SPDX-License-Identifier: Apache-2.0
"""What data sets there are: their cards, and where the cards come from.

A problem keeps the cards of its data in ``datasets.py`` of its own folder, as a
tuple ``DATASETS``; being registered as a problem is enough for them to be found.
Data that belongs to no problem is registered in the entry-point group
``trimtab.datasets``, with a value such as ``"my_package.datasets:DATASETS"``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Literal
from urllib.parse import urlsplit

from trimtab.core import registry
from trimtab.core.errors import DataError, UnknownName

GROUP = "trimtab.datasets"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. The unit, where there is one, stands in the description."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    description: str


@dataclass(frozen=True, slots=True)
class File:
    """One file, known by its contents. `sources` hold exactly these bytes, the preferred one first.

    No sources means that nobody publishes the file: it can only be imported.
    """

    name: str
    size: int  # bytes
    sha256: str
    media_type: str
    description: str
    sources: tuple[str, ...] = ()  # http(s) addresses
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise DataError(f"data file {self.name!r}: a name has letters, digits, '.', '_' and '-' only")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise DataError(f"data file {self.name!r}, field 'sha256': {self.sha256!r} is not 64 hexadecimal digits")
        if self.size < 0:
            raise DataError(f"data file {self.name!r}, field 'size': {self.size} bytes")
        for url in self.sources:
            if urlsplit(url).scheme not in ("http", "https"):
                raise DataError(f"data file {self.name!r}, field 'sources': {url!r} is neither http nor https")


@dataclass(frozen=True, slots=True)
class Dataset:
    """The card of a data set. It goes out as Croissant JSON-LD with `trimtab.data.export`."""

    name: str
    version: str
    description: str
    licence: str  # an SPDX name where there is one, else what the origin says
    licence_url: str
    origin: str  # the address of what the files were made from
    provenance: str  # how they were made from it
    citation: str
    creators: tuple[str, ...]
    published: str  # ISO date of the origin
    files: tuple[File, ...]
    stats: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise DataError(f"data set {self.name!r}: a name has small letters, digits and '-' only")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.version):
            raise DataError(f"data set {self.name!r}, field 'version': {self.version!r}")
        if len({file.name for file in self.files}) < len(self.files) or not self.files:
            raise DataError(f"data set {self.name!r}, field 'files': empty, or two of one name")

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    def file(self, name: str) -> File:
        for file in self.files:
            if file.name == name:
                return file
        raise UnknownName(f"file of data set {self.name}", name, [file.name for file in self.files])


def list_datasets(problem: str = "") -> tuple[Dataset, ...]:
    """Every registered data set, by name; or those in the folder of one problem."""
    everything = tuple(dataset for _, dataset in sorted(_catalogue().items()))
    if not problem:
        return everything
    homes = [entry.module for entry in entry_points(group=registry.GROUP) if entry.name == problem]
    own = {dataset.name for module in homes for dataset in _load(f"{module}.datasets:DATASETS")}
    return tuple(dataset for dataset in everything if dataset.name in own)


def get_dataset(name: str) -> Dataset:
    """The card of one data set."""
    found = _catalogue().get(name)
    if found is None:
        raise UnknownName("data set", name, _catalogue())
    return found


@cache
def _catalogue() -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for target in _registered():
        for dataset in _load(target):
            clash = found.setdefault(dataset.name, dataset)
            if clash != dataset:
                raise DataError(f"two data sets are named {dataset.name!r}; one of them is in {target}")
    return found


def _registered() -> Iterator[str]:
    """``module:name`` of every tuple of cards."""
    for problem in sorted(entry_points(group=registry.GROUP)):
        yield f"{problem.module}.datasets:DATASETS"
    for entry in sorted(entry_points(group=GROUP)):
        yield entry.value


def _load(target: str) -> tuple[Dataset, ...]:
    module, _, name = target.partition(":")
    try:
        if not _exists(module):
            return ()
        return tuple(getattr(importlib.import_module(module), name))
    except Exception as error:  # one broken plugin must not hide everybody's data
        warnings.warn(f"the data sets in {target} can't be listed: {error}", RuntimeWarning, stacklevel=2)
        return ()


def _exists(module: str) -> bool:
    """A problem that is a single module has no room for a ``datasets`` beside it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        if error.name is not None and module.startswith(error.name):
            return False
        raise
