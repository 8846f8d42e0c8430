# SPDX-License-Identifier: Apache-2.0
"""Queries with row counts as text: one JSON object a line, plain or xz."""

from __future__ import annotations

import json
import lzma
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import Cardinalities, JoinEdge, JoinQuery, Relation

_LIMIT: Final = 1 << 28  # B of text: no workload is longer, and a small .xz may unpack to any length


def dumps(query: JoinQuery) -> str:
    """One line of JSON, without its end. Whole numbers stay whole."""
    row = {
        "name": query.name,
        "template": query.template,
        "cost_model": query.cost_model,
        "sql": query.sql,
        "relations": [_known(relation) for relation in query.relations],
        "edges": [_known(edge) for edge in query.edges],
        "cardinalities": _cards(query.cardinalities),
        "estimates": None if query.estimates is None else _cards(query.estimates),
    }
    return json.dumps(row, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def loads(text: str, where: str) -> JoinQuery:
    """Raises `InvalidInstance`, naming `where`, for anything else than a line of `dumps`."""
    try:
        row = json.loads(text)
        return JoinQuery(
            name=_text(row, "name"),
            template=_text(row, "template"),
            cost_model=_text(row, "cost_model"),
            sql=_text(row, "sql"),
            relations=tuple(_make(Relation, relation) for relation in row["relations"]),
            edges=tuple(_make(JoinEdge, edge) for edge in row["edges"]),
            cardinalities=_read_cards(row["cardinalities"]),
            estimates=None if row["estimates"] is None else _read_cards(row["estimates"]),
        )
    except InvalidInstance as error:
        raise InvalidInstance(f"{where}: {error}") from None
    except KeyError as error:
        raise InvalidInstance(f"{where}: the field {error} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidInstance(f"{where}: not a query with row counts ({error})") from None


def save_queries(path: Path, queries: Iterable[JoinQuery]) -> None:
    """Write all or nothing; compressed where the name ends in ``.xz``."""
    payload = "".join(f"{dumps(query)}\n" for query in queries).encode()
    if path.suffix == ".xz":
        payload = lzma.compress(payload, preset=9 | lzma.PRESET_EXTREME)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        temporary.write_bytes(payload)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_queries(path: Path) -> dict[str, JoinQuery]:
    """Queries by name, in their order."""
    found: dict[str, JoinQuery] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            query = loads(line, f"{path}, line {number}")
            if query.name in found:
                raise InvalidInstance(f"{path}, line {number}: a second query has the name {query.name!r}")
            found[query.name] = query
    return found


def read_text(path: Path) -> str:
    """A text file, plain or xz, of at most 256 MiB."""
    try:
        if path.suffix == ".xz":
            with lzma.open(path) as file:
                payload = file.read(_LIMIT + 1)
        else:
            with path.open("rb") as plain:
                payload = plain.read(_LIMIT + 1)
        if len(payload) > _LIMIT:
            raise InvalidInstance(f"{path}: longer than {_LIMIT >> 20} MiB")
        return payload.decode()
    except OSError as error:
        raise InvalidInstance(f"{path} can't be read: {error.strerror}") from error
    except (lzma.LZMAError, EOFError) as error:
        raise InvalidInstance(f"{path} is not an xz file, or is cut short: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInstance(f"{path} is not text: {error.reason} at byte {error.start}") from error


def _known(part: Relation | JoinEdge) -> dict[str, Any]:
    """The fields that say something."""
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in asdict(part).items()
        if (value not in (False, ()) and not (isinstance(value, float) and math.isnan(value)))
        or key in ("left", "right")
    }


def _make(kind: type[Any], row: Mapping[str, Any]) -> Any:
    """A `Relation` or `JoinEdge`; every value has the type of its field."""
    made: dict[str, Any] = {}
    types = {field.name: str(field.type) for field in fields(kind)}
    for key, value in row.items():
        if key not in types:
            raise InvalidInstance(f"{kind.__name__} has no field {key!r}")
        wanted = types[key]
        if wanted == "float" and type(value) in (int, float):
            value = float(value)
        elif wanted.startswith("tuple") and isinstance(value, list) and all(isinstance(v, str) for v in value):
            value = tuple(value)
        elif type(value).__name__ != wanted:
            raise InvalidInstance(f"{kind.__name__}, field {key!r}: {value!r} is no {wanted}")
        made[key] = value
    return kind(**made)


def _cards(cards: Cardinalities) -> dict[str, Any]:
    whole = [int(r) if float(r).is_integer() else float(r) for r in cards.rows]
    kinds = cards.kinds.tolist()
    return {
        "source": cards.source,
        "subsets": cards.subsets.tolist(),
        "rows": whole,
        "kinds": kinds[0] if len(set(kinds)) == 1 else kinds,
    }


def _read_cards(row: Mapping[str, Any]) -> Cardinalities:
    subsets = np.array(row["subsets"], np.int64)
    kinds = row["kinds"]
    if isinstance(kinds, int):
        kinds = [kinds] * len(subsets)
    return Cardinalities(subsets, np.array(row["rows"], np.float64), np.array(kinds, np.int8), _text(row, "source"))


def _text(row: Mapping[str, Any], field: str) -> str:
    if not isinstance(row[field], str):
        raise InvalidInstance(f"field {field!r}: {row[field]!r} is no text")
    return str(row[field])
