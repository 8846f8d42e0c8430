# SPDX-License-Identifier: Apache-2.0
"""`Program`: what a module computes, as ATen calls in order; plain data that other processes can read.

Three kinds of node. A *leaf* is a parameter, a buffer, a constant or an input. An *op*
computes. A *view* costs nothing and moves no bytes: whoever reads it makes it from
its base, so that only what an op computed ever crosses a link.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from trimtab.core.errors import InvalidInstance

FORMAT: Final = "trimtab-program/1"

Kind = Literal["parameter", "buffer", "constant", "input", "op", "view"]
LEAVES: Final = ("parameter", "buffer", "constant", "input")


@dataclass(frozen=True)
class Ref:
    """The value of a node, or one of its values."""

    node: int
    output: int = 0


@dataclass(frozen=True)
class Named:
    """A constant of torch by its name: a dtype, a layout, a memory format; or the device that runs the op."""

    kind: Literal["dtype", "layout", "memory_format", "device"]
    name: str = ""


@dataclass(frozen=True)
class Shape:
    """What a tensor looks like: enough to receive it."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    bytes: int  # of its elements


@dataclass(frozen=True)
class Node:
    """`args` and `kwargs` hold numbers, strings, None, lists of such, `Ref` and `Named`."""

    kind: Kind
    name: str
    target: str = ""  # "aten.mm.default"
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Shape | None, ...] = ()  # None: not a tensor, or read by nobody

    def refs(self) -> Iterator[Ref]:
        yield from _refs(self.args)
        yield from _refs(tuple(self.kwargs.values()))


@dataclass(frozen=True)
class Program:
    """Nodes in an order in which they can run.

    `results` are the values of a call; `updates` say which leaf gets which value at
    the end of it: the parameters of a training step.
    """

    name: str
    nodes: tuple[Node, ...]
    results: tuple[Ref, ...]
    updates: Mapping[int, Ref] = field(default_factory=dict)
    tensors: tuple[Ref, ...] = ()  # what the tensors of the graph are, in its order: values of ops, or smaller views

    @property
    def ops(self) -> tuple[int, ...]:
        """Nodes that compute: op i of the graph is node ``ops[i]``."""
        return tuple(i for i, node in enumerate(self.nodes) if node.kind == "op")

    def base(self, ref: Ref) -> Ref:
        """The leaf's or op's value that a reference is a view of."""
        while self.nodes[ref.node].kind == "view":
            ref = next(self.nodes[ref.node].refs())
        return ref

    def reads(self, node: int) -> list[Ref]:
        """Values of ops and leaves that a node needs, through views; each once."""
        found: dict[Ref, None] = {}
        for ref in self.nodes[node].refs():
            found[self.base(ref)] = None
        return list(found)


def to_json(program: Program) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": program.name,
        "nodes": [
            [
                node.kind, node.name, node.target, [_encode(a) for a in node.args],
                {key: _encode(a) for key, a in node.kwargs.items()},
                [None if s is None else [s.size, s.stride, s.dtype, s.bytes] for s in node.outputs],
            ]
            for node in program.nodes
        ],
        "results": [_encode(ref) for ref in program.results],
        "updates": [[leaf, _encode(ref)] for leaf, ref in program.updates.items()],
        "tensors": [_encode(ref) for ref in program.tensors],
    }  # fmt: skip


def from_json(data: Mapping[str, Any]) -> Program:
    """Raises `InvalidInstance` where it is not what `to_json` wrote."""
    try:
        if data["format"] != FORMAT:
            raise InvalidInstance(f"a program of format {data['format']!r}, expected {FORMAT!r}")
        nodes = tuple(
            Node(
                kind, name, target, tuple(_decode(a) for a in args), {key: _decode(a) for key, a in kwargs.items()},
                tuple(None if s is None else Shape(tuple(s[0]), tuple(s[1]), s[2], s[3]) for s in outputs),
            )
            for kind, name, target, args, kwargs, outputs in data["nodes"]
        )  # fmt: skip
        for at, node in enumerate(nodes):
            if any(not 0 <= ref.node < at for ref in node.refs()):
                raise InvalidInstance(f"program {data['name']!r}, node {node.name!r}: reads what is not there yet")
        updates = {int(leaf): _decode(ref) for leaf, ref in data["updates"]}
        results, tensors = (tuple(_decode(ref) for ref in data[key]) for key in ("results", "tensors"))
        return Program(str(data["name"]), nodes, results, updates, tensors)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInstance(f"not a program: {type(error).__name__}: {error}") from error


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _refs(item)


def _encode(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"ref": [value.node, value.output]}
    if isinstance(value, Named):
        return {"named": [value.kind, value.name]}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}  # JSON has no infinity
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "ref":
            return Ref(int(inner[0]), int(inner[1]))
        return Named(inner[0], inner[1]) if kind == "named" else float(inner)
    return [_decode(item) for item in value] if isinstance(value, list) else value
