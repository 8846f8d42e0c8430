# SPDX-License-Identifier: Apache-2.0
"""A module as a `Program`: a call by ``torch.export``, a training step by ``make_fx``."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from .instructions import Kind, Named, Node, Program, Ref, Shape

_PURPOSE: Final = "reading a PyTorch module"

#: Declared as views by their schemas, but copying where the layout asks for it: these stay ops.
_MAY_COPY: Final = ("aten.reshape.", "aten.contiguous.", "aten.to.", "aten.flatten.", "aten._reshape_alias.")


@dataclass(frozen=True, eq=False)
class Traced:
    """A program, and the values of its leaves but for the inputs, by name."""

    program: Program
    state: Mapping[str, Any]


def trace_call(module: Any, inputs: Sequence[Any], name: str) -> Traced:
    """One call ``module(*inputs)``, as the module stands (train or eval). Raises `InvalidInstance`, naming the op."""
    torch = need("torch", extra="learn", purpose=_PURPOSE)
    try:
        with torch.no_grad():
            exported = torch.export.export(module, tuple(inputs), strict=False)
        if any(_writes(node) for node in exported.graph.nodes):
            exported = exported.run_decompositions({})  # the same ops, without writing in place
    except InvalidInstance:
        raise
    except Exception as error:  # torch raises many kinds for modules that it can't follow
        raise InvalidInstance(f"{name}: torch.export can't follow this module: {_first_line(error)}") from error
    signature = exported.graph_signature
    kinds: dict[str, tuple[Kind, str]] = {}
    for table, kind in (
        (signature.inputs_to_parameters, "parameter"),
        (signature.inputs_to_buffers, "buffer"),
        (signature.inputs_to_lifted_tensor_constants, "constant"),
    ):
        kinds.update({node: (kind, target) for node, target in table.items()})  # type: ignore[dict-item]
    reader = _Reader(name, kinds)
    outputs = reader.read(exported.graph)
    by_target = {node.name: at for at, node in enumerate(reader.nodes) if node.kind in ("buffer", "parameter")}
    results, updates = [], {}
    for spec, ref in zip(signature.output_specs, outputs, strict=True):
        if spec.kind.name == "BUFFER_MUTATION":
            updates[by_target[spec.target]] = ref
        elif spec.kind.name == "USER_OUTPUT" and ref is not None:
            results.append(ref)
        elif ref is not None:
            raise InvalidInstance(f"{name}: an output of kind {spec.kind.name} can't be placed")
    program = Program(name, tuple(reader.nodes), tuple(results), updates)
    return _with_state(module, program, {**exported.constants, **reader.constants})


def trace_step(module: Any, inputs: Sequence[Any], name: str, *, learning_rate: float = 1e-3) -> Traced:
    """A training step: forward, backward, and plain SGD on all parameters.

    The loss is what the module returns, if that is one number; of a tensor, its mean of
    squares. Of a tuple, list or mapping the first tensor (or the entry ``loss``) counts.
    """
    torch = need("torch", extra="learn", purpose=_PURPOSE)
    make_fx = need("torch.fx.experimental.proxy_tensor", extra="learn", purpose=_PURPOSE).make_fx
    parameters = {key: p for key, p in module.named_parameters() if p.requires_grad}
    rest = {key: t for key, t in [*module.named_parameters(), *module.named_buffers()] if key not in parameters}
    if not parameters:
        raise InvalidInstance(f"{name}: no parameter of this module wants a gradient; there is nothing to train")

    def step(values: list[Any], fixed: list[Any], given: list[Any]) -> list[Any]:
        state = {**dict(zip(parameters, values, strict=True)), **dict(zip(rest, fixed, strict=True))}
        loss = _loss(torch.func.functional_call(module, state, tuple(given)), name)
        grads = torch.autograd.grad(loss, values, allow_unused=True)
        return [loss, *(p if g is None else p - learning_rate * g for p, g in zip(values, grads, strict=True))]

    leaves = [p.detach().requires_grad_() for p in parameters.values()]
    try:
        graph = make_fx(step, tracing_mode="fake", _allow_non_fake_inputs=True)(
            leaves, list(rest.values()), list(inputs)
        ).graph
    except InvalidInstance:
        raise
    except Exception as error:
        raise InvalidInstance(f"{name}: make_fx can't follow a training step: {_first_line(error)}") from error
    graph.eliminate_dead_code()
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    named: list[tuple[Kind, str]] = [("parameter", key) for key in parameters]
    named += [("parameter" if key in dict(module.named_parameters()) else "buffer", key) for key in rest]
    named += [("input", f"input_{i}") for i in range(len(inputs))]
    reader = _Reader(name, {node.name: what for node, what in zip(placeholders, named, strict=True)})
    outputs = reader.read(graph)
    at = {node.name: i for i, node in enumerate(reader.nodes) if node.kind == "parameter"}
    updates = {at[key]: ref for key, ref in zip(parameters, outputs[1:], strict=True) if ref is not None}
    updates = {leaf: ref for leaf, ref in updates.items() if ref.node != leaf}
    if outputs[0] is None:
        raise InvalidInstance(f"{name}: the loss does not depend on anything")
    program = Program(name, tuple(reader.nodes), (outputs[0],), updates, outputs[0])
    return _with_state(module, program, reader.constants)


def _with_state(module: Any, program: Program, constants: Mapping[str, Any]) -> Traced:
    known = dict(constants)
    known.update(module.named_parameters(remove_duplicate=False))
    known.update(module.named_buffers(remove_duplicate=False))
    names = [node.name for node in program.nodes if node.kind in ("parameter", "buffer", "constant")]
    return Traced(program, {name: known[name].detach() for name in names})


def _loss(output: Any, name: str) -> Any:
    torch = need("torch", extra="learn", purpose=_PURPOSE)
    if isinstance(output, Mapping):
        output = output.get("loss", next(iter(output.values()), None))
    while isinstance(output, (tuple, list)) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise InvalidInstance(f"{name}: to train it, the module must return a tensor, not {type(output).__name__}")
    return output if output.ndim == 0 else output.float().square().mean()


class _Reader:
    """From an fx graph to nodes."""

    def __init__(self, name: str, kinds: Mapping[str, tuple[Kind, str]]) -> None:
        self.name, self.kinds = name, kinds
        self.nodes: list[Node] = []
        self.refs: dict[Any, Ref] = {}
        self.constants: dict[str, Any] = {}
        self.torch = need("torch", extra="learn", purpose=_PURPOSE)

    def read(self, graph: Any) -> list[Ref | None]:
        """All nodes; what the graph returns, flat."""
        returned: Any = ()
        for node in graph.nodes:
            if node.op == "placeholder":
                kind, name = self.kinds.get(node.name, ("input", node.name))
                self._add(node, Node(kind, name, outputs=(self._shape(node.meta.get("val")),)))
            elif node.op == "get_attr":
                value = operator.attrgetter(node.target)(graph.owning_module)
                self.constants[node.target] = value
                self._add(node, Node("constant", node.target, outputs=(self._shape(value),)))
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                returned = node.args[0]
            else:
                raise InvalidInstance(f"{self.name}, op {node.name!r}: a call of kind {node.op} can't be placed")
        flat = returned if isinstance(returned, (tuple, list)) else (returned,)
        return [self.refs[item] if isinstance(item, self.torch.fx.Node) else None for item in flat]

    def _call(self, node: Any) -> None:
        if node.target is operator.getitem:
            base, index = node.args
            self.refs[node] = Ref(self.refs[base].node, int(index))
            return
        if not isinstance(node.target, self.torch._ops.OpOverload):
            if _is_guard(node):
                return
            raise InvalidInstance(f"{self.name}, op {node.name!r}: {node.target} is not an ATen operator")
        if not node.users and _returns_nothing(node):
            return  # assertions about shapes
        self._check_writes(node)
        schema = node.target._schema
        aliases = any(out.alias_info is not None and not out.alias_info.is_write for out in schema.returns)
        view = aliases and not str(node.target).startswith(_MAY_COPY)
        args = tuple(self._argument(node, a) for a in node.args)
        kwargs = {key: self._argument(node, a) for key, a in node.kwargs.items()}
        value = node.meta.get("val")
        shapes = tuple(map(self._shape, value if isinstance(value, (tuple, list)) else (value,)))
        made = Node("op", node.name, str(node.target), args, kwargs, shapes)
        if view and len(set(made.refs())) == 1:
            made = replace(made, kind="view")
        self._add(node, made)

    def _add(self, node: Any, made: Node) -> None:
        self.refs[node] = Ref(len(self.nodes))
        self.nodes.append(made)

    def _check_writes(self, node: Any) -> None:
        """Only a leaf may be written to: its readers share a device."""
        for argument, value in zip(node.target._schema.arguments, node.args, strict=False):
            writes = argument.alias_info is not None and argument.alias_info.is_write
            if writes and isinstance(value, self.torch.fx.Node) and self.nodes[self.refs[value].node].kind in (
                "op", "view"
            ):  # fmt: skip
                raise InvalidInstance(
                    f"{self.name}, op {node.name!r} ({node.target}) writes to a value in place, which can't be placed; "
                    "write the module without in-place operations (inplace=False)"
                )

    def _argument(self, node: Any, value: Any) -> Any:
        torch = self.torch
        if isinstance(value, torch.fx.Node):
            if value not in self.refs:
                raise InvalidInstance(f"{self.name}, op {node.name!r}: reads {value.name!r}, which is not a tensor")
            return self.refs[value]
        if isinstance(value, (list, tuple)):
            return [self._argument(node, item) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        for kind in ("dtype", "layout", "memory_format"):
            if isinstance(value, getattr(torch, kind)):
                return Named(kind, str(value).removeprefix("torch."))  # type: ignore[arg-type]
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


def _writes(node: Any) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _returns_nothing(node: Any) -> bool:
    return not node.target._schema.returns


def _is_guard(node: Any) -> bool:
    """Checks of shapes that export leaves behind; shapes are fixed here."""
    return not node.users and ("assert" in str(node.target) or "sym_" in str(node.target))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
