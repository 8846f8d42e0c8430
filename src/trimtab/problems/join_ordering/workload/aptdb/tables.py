# SPDX-License-Identifier: Apache-2.0
"""The 12 tables of aptdb, from the stanzas of a package index.

Debian bookworm main (amd64)::

    package    63,436 rows     depends   377,114     pkgtag    112,118     provides  37,557
    virtual    35,119          source     34,169     maintainer  2,240     domain       680
    tag           598          section        58     kind            8     priority       5
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import parseaddr
from typing import Any, Final

from trimtab.core.errors import InvalidInstance

from ..database import Table
from .index import relations

_ID: Final = "INTEGER"
_TEXT: Final = "TEXT"

KINDS: Final = ("Depends", "Pre-Depends", "Suggests", "Breaks", "Replaces", "Recommends", "Conflicts", "Enhances")


def _named(name: str, **more: str) -> Table:
    return Table(name, {"id": _ID, "name": _TEXT, **more}, key="id")


TABLES: Final = (
    Table("domain", {"id": _ID, "name": _TEXT}, key="id"),
    Table("maintainer", {"id": _ID, "name": _TEXT, "domain_id": _ID}, "id", {"domain_id": "domain.id"}),
    _named("section"),
    _named("priority"),
    _named("source"),
    _named("kind"),
    _named("tag", facet=_TEXT),
    _named("virtual"),
    Table(
        "package",
        {
            "id": _ID, "name": _TEXT, "version": _TEXT, "maintainer_id": _ID, "section_id": _ID, "arch": _TEXT,
            "priority_id": _ID, "source_id": _ID, "installed_size": "BIGINT", "size": "BIGINT", "multi_arch": _TEXT,
            "essential": _ID, "initial": _TEXT, "desc_len": _ID,
        },
        "id",
        {
            "maintainer_id": "maintainer.id", "section_id": "section.id", "priority_id": "priority.id",
            "source_id": "source.id",
        },
    ),
    Table("pkgtag", {"pkg_id": _ID, "tag_id": _ID}, "", {"pkg_id": "package.id", "tag_id": "tag.id"}),
    Table("provides", {"pkg_id": _ID, "virtual_id": _ID}, "", {"pkg_id": "package.id", "virtual_id": "virtual.id"}),
    Table(
        "depends",
        {"pkg_id": _ID, "target_id": _ID, "kind_id": _ID, "alt": _ID, "op": _TEXT},
        "",
        {"pkg_id": "package.id", "target_id": "package.id", "kind_id": "kind.id"},
    ),
)  # fmt: skip


class _Numbers(dict[str, int]):
    """Numbers names 1, 2, ... as they are first asked for."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self) + 1
        return self[name]


def tables_of(index: Iterable[Mapping[str, str]]) -> dict[str, list[tuple[Any, ...]]]:
    """Rows by table. Of packages that occur more than once, the first counts."""
    packages: dict[str, Mapping[str, str]] = {}
    for fields in index:
        if "Package" in fields:
            packages.setdefault(fields["Package"], fields)
    if not packages:
        raise InvalidInstance("package index: there is no package in it")
    ids = {name: number for number, name in enumerate(packages, 1)}
    numbers = {name: _Numbers() for name in ("domain", "section", "priority", "source", "tag", "virtual")}
    people: dict[tuple[str, int], int] = {}
    rows: dict[str, list[tuple[Any, ...]]] = {table.name: [] for table in TABLES}
    for name, fields in packages.items():
        number = ids[name]
        person, address = parseaddr(fields.get("Maintainer", ""))
        whose = (person, numbers["domain"][address.rpartition("@")[2].lower()])
        rows["package"].append(_package(number, fields, people.setdefault(whose, len(people) + 1), numbers))
        _add_relations(rows, number, fields, ids, numbers)
    rows["maintainer"] = [(number, person, domain) for (person, domain), number in people.items()]
    rows["kind"] = [(number, kind) for number, kind in enumerate(KINDS, 1)]
    for table in ("domain", "section", "priority", "source", "virtual"):
        rows[table] = [(number, name) for name, number in numbers[table].items()]
    rows["tag"] = [(number, tag, tag.partition("::")[0]) for tag, number in numbers["tag"].items()]
    return rows


def _package(
    number: int, fields: Mapping[str, str], maintainer: int, numbers: Mapping[str, _Numbers]
) -> tuple[Any, ...]:
    name = fields["Package"]
    source = fields.get("Source", name).partition(" ")[0]
    return (
        number, name, fields.get("Version"), maintainer, numbers["section"][fields.get("Section", "")],
        fields.get("Architecture"), numbers["priority"][fields.get("Priority", "")], numbers["source"][source],
        _whole(fields.get("Installed-Size")), _whole(fields.get("Size")), fields.get("Multi-Arch"),
        int(fields.get("Essential") == "yes"), name[0], len(fields.get("Description", "")),
    )  # fmt: skip


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


def _add_relations(
    rows: Mapping[str, list[tuple[Any, ...]]],
    number: int,
    fields: Mapping[str, str],
    ids: Mapping[str, int],
    numbers: Mapping[str, _Numbers],
) -> None:
    for kind, field in enumerate(KINDS, 1):
        for target, place, operator in relations(fields.get(field, "")):
            rows["depends"].append((number, ids.get(target), kind, place, operator or None))
    for target, _, _ in relations(fields.get("Provides", "")):
        rows["provides"].append((number, numbers["virtual"][target]))
    for tag in fields.get("Tag", "").split(","):
        if tag.strip():
            rows["pkgtag"].append((number, numbers["tag"][tag.strip()]))
