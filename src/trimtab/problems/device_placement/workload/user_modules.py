# SPDX-License-Identifier: Apache-2.0
"""Modules in the user's own Python file, as instances that are made when they are asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from trimtab.core.errors import InvalidInstance

from ..problem import OpGraph, PlacementInstance

#: Module and inputs behind a graph that was made here: what split points are found with.
BEHIND: WeakKeyDictionary[OpGraph, tuple[Any, tuple[Any, ...]]] = WeakKeyDictionary()


class UserModules(Mapping[str, PlacementInstance]):
    """``FILE.py:MAKE`` -> instance. The file is run only when one is made, and only because the user named it."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.path, self.options = path, options
        self.names = _makers(path)
        self._made: dict[str, PlacementInstance] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return (f"{self.path}:{name}" for name in self.names)

    def __getitem__(self, key: str) -> PlacementInstance:
        name = key.rpartition(":")[2]
        if name not in self.names:
            raise KeyError(key)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> PlacementInstance:
        from .capture import capture, maker, topology_of

        module, inputs = maker(f"{self.path}:{name}")()
        options = dict(self.options)
        graph, _ = capture(
            module, inputs, name, name, options.pop("train"), options.pop("copies"), options.pop("nominal"),
            options.pop("repeats"),
        )  # fmt: skip
        BEHIND[graph] = module, tuple(inputs)
        return PlacementInstance(graph, topology_of(graph, **options))


def _makers(path: Path) -> tuple[str, ...]:
    """Functions of a file that take no arguments, read without running it."""
    try:
        tree = ast.parse(path.read_text(), str(path))
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidInstance(f"{path}: not a Python file ({error})") from error
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not _required(node.args)
    ]
    if not found:
        raise InvalidInstance(f"{path}: no function without arguments in it that could return (module, inputs)")
    return tuple(found)


def _required(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(default is None for default in arguments.kw_defaults)
