# SPDX-License-Identifier: Apache-2.0
"""A traced module as a `Program` whose ops and tensors are those of the `OpGraph` that is built from it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from ..workload.torch_graph import VIEWS, Sources, Traced, tensors_of
from .instructions import Kind, Named, Node, Program, Ref, Shape


@dataclass(frozen=True, eq=False)
class Runnable:
    """A program, the values of its leaves by name, and the inputs that it was traced with."""

    program: Program
    state: Mapping[str, Any]
    inputs: tuple[Any, ...]


def runnable(traced: Traced, name: str) -> Runnable:
    """Raises `InvalidInstance`, naming the op, where something can't be run piece by piece."""
    return _Reader(traced, name).read()


class _Reader:
    """From an fx graph to nodes."""

    def __init__(self, traced: Traced, name: str) -> None:
        self.traced, self.name = traced, name
        self.torch = need("torch", extra="learn", purpose="running a placed module")
        self.source = Sources(traced)
        self.nodes: list[Node] = []
        self.refs: dict[str, Ref] = {}
        self.state: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.written: list[tuple[Any, Ref]] = []

    def read(self) -> Runnable:
        graph = self.traced.module.graph
        values = iter(self.traced.inputs)
        returned: Any = ()
        for node in graph.nodes:
            if node.op == "placeholder":
                self._leaf(node, next(values, None))
            elif node.op == "get_attr":
                self.state[node.target] = operator.attrgetter(node.target)(self.traced.module)
                self._add(node, Node("constant", node.target, outputs=(self._shape(self.state[node.target]),)))
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                returned = node.args[0]
            else:
                raise InvalidInstance(f"{self.name}, op {node.name!r}: a call of kind {node.op} can't be placed")
        tensors = tuple(self._tensor(*key) for key in tensors_of(self.traced))
        results, updates = self._outputs(returned)
        program = Program(self.name, tuple(self.nodes), results, updates, tensors)
        self._check_writes(program)
        return Runnable(program, self.state, tuple(self.inputs))

    def _tensor(self, maker: str, output: int, view: str = "") -> Ref:
        return self.refs[view] if view else Ref(self.refs[maker].node, output)

    def _leaf(self, node: Any, value: Any) -> None:
        named = self.traced.parameters.get(node.name)
        kind: Kind = "input" if named is None else "parameter"
        if named is None:
            self.inputs.append(value)
        else:
            self.state[named] = value.detach()
        self._add(node, Node(kind, named or node.name, outputs=(self._shape(node.meta.get("val")),)))

    def _outputs(self, returned: Any) -> tuple[tuple[Ref, ...], dict[int, Ref]]:
        torch = self.torch
        flat = returned if isinstance(returned, (tuple, list)) else (returned,)
        refs = [self.refs[item.name] if isinstance(item, torch.fx.Node) else None for item in flat]
        renewed = self.traced.updated
        leaf = {node.name: at for at, node in enumerate(self.nodes) if node.kind == "parameter"}
        updates = {
            leaf[name]: ref
            for name, ref in zip(renewed, refs[: len(renewed)], strict=True)
            if ref is not None and ref.node != leaf[name]
        }
        return tuple(ref for ref in refs[len(renewed) :] if ref is not None), updates

    def _call(self, node: Any) -> None:
        if node.target is operator.getitem:
            base, index = node.args
            if base.name in self.refs:
                self.refs[node.name] = Ref(self.refs[base.name].node, int(index))
            return
        value = node.meta.get("val")
        outputs = tuple(map(self._shape, value if isinstance(value, (tuple, list)) else (value,)))
        if not any(outputs) and not node.users:
            return  # checks of shapes
        if not isinstance(node.target, self.torch._ops.OpOverload):
            raise InvalidInstance(f"{self.name}, op {node.name!r}: {node.target} is not an ATen operator")
        args = tuple(self._argument(node, a) for a in node.args)
        kwargs = {key: self._argument(node, a) for key, a in node.kwargs.items()}
        kind: Kind = "op" if self.source.is_op(node) else "view"
        made = Node(kind, node.name, str(node.target), args, kwargs, outputs)
        packet = str(node.target.overloadpacket).rpartition(".")[2]
        if kind == "view" and (packet not in VIEWS or len({ref.node for ref in made.refs()}) != 1):
            raise InvalidInstance(f"{self.name}, op {node.name!r}: {node.target} makes no tensor, and can't be placed")
        for argument, given in zip(node.target._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(given, Ref):
                self.written.append((node, given))
        self._add(node, made)

    def _add(self, node: Any, made: Node) -> None:
        self.refs[node.name] = Ref(len(self.nodes))
        self.nodes.append(made)

    def _check_writes(self, program: Program) -> None:
        """A value may be written to by its only reader; else what others see would depend on who is where."""
        readers: dict[int, set[str]] = {}
        for at in program.ops:
            for ref in program.reads(at):
                readers.setdefault(ref.node, set()).add(program.nodes[at].name)
        for node, ref in self.written:
            base = program.base(ref).node
            if program.nodes[base].kind != "op" or readers[base] != {node.name}:
                raise InvalidInstance(
                    f"{self.name}, op {node.name!r} ({node.target}) writes to a value in place that others read; "
                    "write the module without in-place operations (inplace=False)"
                )

    def _argument(self, node: Any, value: Any) -> Any:
        torch = self.torch
        if isinstance(value, torch.fx.Node):
            if value.name not in self.refs:
                raise InvalidInstance(f"{self.name}, op {node.name!r}: reads {value.name!r}, which is not a tensor")
            return self.refs[value.name]
        if isinstance(value, (list, tuple)):
            return [self._argument(node, item) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, torch.dtype):
            return Named("dtype", str(value).removeprefix("torch."))
        if isinstance(value, torch.layout):
            return Named("layout", str(value).removeprefix("torch."))
        if isinstance(value, torch.memory_format):
            return Named("memory_format", str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return Named("device")
        raise InvalidInstance(
            f"{self.name}, op {node.name!r} ({node.target}): an argument of type {type(value).__name__}; "
            "shapes must be fixed, and arguments plain"
        )

    def _shape(self, value: Any) -> Shape | None:
        if not isinstance(value, self.torch.Tensor):
            return None
        size = tuple(int(n) for n in value.shape)
        return Shape(
            size, tuple(int(n) for n in value.stride()), str(value.dtype).removeprefix("torch."),
            value.numel() * value.element_size(),
        )  # fmt: skip
