# SPDX-License-Identifier: Apache-2.0
"""Graphs of PyTorch programs: a module through ``torch.export``, a whole training step through ``make_fx``.

An op is a call of an ATen operator. Views are no ops: who reads a view reads the
tensor below it (a smaller view of it is a tensor of its own). Inputs of the program
are everywhere. A parameter lies where the ops are that use it, which therefore
share a device: forward, backward and update of one weight are one colocation group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trimtab.core.errors import InvalidInstance, TrimtabError
from trimtab.core.extras import need

from ..problem import OpGraph
from .building import GraphBuilder

#: Of the names of ATen operators that make no new memory.
VIEWS: Final = frozenset(
    {
        *("view", "reshape", "_unsafe_view", "view_as", "_reshape_alias", "as_strided", "expand", "alias", "detach"),
        *("permute", "transpose", "t", "unsqueeze", "squeeze", "unfold", "diagonal", "lift_fresh_copy"),
        *("slice", "select", "split", "split_with_sizes", "chunk", "unbind", "narrow"),
    }
)


@dataclass(frozen=True)
class Traced:
    """A program as an FX graph, and what its placeholders are."""

    module: Any  # torch.fx.GraphModule
    parameters: Mapping[str, str]  # placeholder -> parameter's or buffer's name
    inputs: tuple[Any, ...]  # what the placeholders are fed, in their order; meta tensors where there is no memory
    backward_from: int = 1 << 30  # place of the first backward op among all nodes
    updated: tuple[str, ...] = ()  # parameters that a training step renews; its outputs, and then the loss
    notes: Sequence[str] = field(default_factory=tuple)


def export_module(module: Any, inputs: Sequence[Any]) -> Traced:
    """The module's inference graph, as `torch.export` sees it, without decomposing its operators.

    Raises `InvalidInstance` with the first line of what torch says, where it does not export.
    """
    torch = need("torch", extra="learn", purpose="reading PyTorch modules")
    try:
        with torch.no_grad():
            program = torch.export.export(module.eval(), tuple(inputs), strict=False)
    except TrimtabError:
        raise
    except Exception as error:  # whatever a user's module does
        raise InvalidInstance(f"module {type(module).__name__} does not export: {_first_line(error)}") from error
    graph = program.graph_module
    signature = program.graph_signature
    named = {**dict(signature.inputs_to_parameters), **dict(signature.inputs_to_buffers)}
    state = {**program.state_dict, **program.constants}
    constants = getattr(signature, "inputs_to_lifted_tensor_constants", {})
    given = list(inputs)
    fed: list[Any] = []
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            target = named.get(node.name) or constants.get(node.name)
            fed.append(state[target] if target is not None else given.pop(0))
    return Traced(graph, {**named, **constants}, tuple(fed))


def trace_training(
    module: Any, inputs: Sequence[Any], loss: Callable[[Any], Any] | None = None, rate: float = 1e-3
) -> Traced:
    """One step of stochastic gradient descent: forward, backward, and the update of every parameter.

    `loss` makes a scalar of the module's output; by default the mean of squares of
    all of it. The program returns the new parameters, and the loss.
    """
    torch = need("torch", extra="learn", purpose="reading PyTorch modules")
    fx = need("torch.fx.experimental.proxy_tensor", extra="learn")
    names = [name for name, value in module.named_parameters() if value.requires_grad]
    fixed = dict(module.named_buffers())
    values = [dict(module.named_parameters())[name] for name in names]
    judge = loss or mean_square

    def step(parameters: list[Any], given: list[Any]) -> list[Any]:
        live = [value.detach().requires_grad_() for value in parameters]
        # copies: a functional module must not write into the buffers of the real one
        out = torch.func.functional_call(
            module, {**dict(zip(names, live, strict=True)), **{k: v.clone() for k, v in fixed.items()}}, tuple(given)
        )
        value = judge(out)
        gradients = torch.autograd.grad(value, live, allow_unused=True)
        return [*(p if g is None else p - rate * g for p, g in zip(live, gradients, strict=True)), value]

    try:
        module.train()
        graph = fx.make_fx(step, tracing_mode="fake", _allow_non_fake_inputs=True)(values, list(inputs))
    except TrimtabError:
        raise
    except Exception as error:
        raise InvalidInstance(
            f"a training step of module {type(module).__name__} can't be traced: {_first_line(error)}"
        ) from error
    graph.graph.eliminate_dead_code()
    graph.recompile()
    places = [node.name for node in graph.graph.nodes if node.op == "placeholder"]
    parameters = dict(zip(places, names, strict=False))
    fed = (*(value.detach() for value in values), *inputs)
    return Traced(graph, parameters, fed, _backward_from(graph), tuple(names))


def mean_square(out: Any) -> Any:
    """A loss of any output: the mean of squares of every floating tensor in it."""
    pytree = need("torch.utils._pytree", extra="learn")
    tensors = [x for x in pytree.tree_leaves(out) if hasattr(x, "is_floating_point") and x.is_floating_point()]
    return sum((x.float() ** 2).mean() for x in tensors)


def _backward_from(graph: Any) -> int:
    """Place of the first backward node: autograd begins with the gradient of the loss by itself, a 1."""
    for at, node in enumerate(graph.graph.nodes):
        if node.op == "call_function" and _base_name(node) == "ones_like" and _numel(node) == 1:
            return at
    raise InvalidInstance("a training step without a backward pass: does the loss depend on a parameter?")


def build(
    traced: Traced,
    name: str,
    compute_s: Callable[[Any], float],
    *,
    family: str = "",
    device_type: str = "core",
    param_copies: float = 1.0,
) -> OpGraph:
    """The op graph. `compute_s` says how long a node takes; `param_copies` counts a parameter's optimiser state."""
    builder = GraphBuilder(name, (device_type,), family=family)
    nodes = list(traced.module.graph.nodes)
    source = Sources(traced)
    users = source.parameter_users(nodes)
    carried = _carried_bytes(users, source, nodes)
    for at, node in enumerate(nodes):
        if not source.is_op(node):
            continue
        builder.op(
            node.name,
            node.name,
            str(node.target),
            (round(compute_s(node), 8),),  # 10 ns
            param_bytes=param_copies * carried.get(node.name, 0.0),
            output_bytes=float(sum(nbytes(value) for value in _values(node))),
            group=users.get(node.name),
            backward=at >= traced.backward_from,
        )
    for reader, key, size in reads_of(source, nodes):
        builder.tensor(key, key[0], size)
        builder.read(key, reader)
    return builder.build()


def reads_of(source: Sources, nodes: Sequence[Any]) -> Iterator[tuple[str, tuple[Any, ...], float]]:
    """(op, tensor that it reads, bytes). A tensor is (producer, output), and of a smaller view also the view's name."""
    for node in nodes:
        if source.is_op(node):
            for key, _, size in source.reads(node):
                yield node.name, key, size


def tensors_of(traced: Traced) -> list[tuple[Any, ...]]:
    """Keys of the tensors of the graph that `build` makes, in its order."""
    nodes = list(traced.module.graph.nodes)
    source = Sources(traced)
    number = {node.name: at for at, node in enumerate(nodes)}
    keys = dict.fromkeys(key for _, key, _ in reads_of(source, nodes))
    return sorted(keys, key=lambda key: number[key[0]])


class Sources:
    """Which op, parameter or input stands behind each node."""

    def __init__(self, traced: Traced) -> None:
        self.parameters = traced.parameters
        self.base: dict[str, tuple[str, str, int]] = {}  # node -> (kind, name, output)
        self.value: dict[str, Any] = {}
        for node in traced.module.graph.nodes:
            self.value[node.name] = node.meta.get("val")
            if node.op == "placeholder":
                kind = "parameter" if node.name in traced.parameters else "input"
                self.base[node.name] = (kind, node.name, 0)
            elif node.op == "get_attr":
                self.base[node.name] = ("input", node.name, 0)
            elif node.op == "call_function":
                self.base[node.name] = self._follow(node)

    def _follow(self, node: Any) -> tuple[str, str, int]:
        name = _base_name(node)
        below = next((a for a in node.args if hasattr(a, "name") and a.name in self.base), None)
        if name == "getitem" and below is not None:
            kind, origin, output = self.base[below.name]
            many = isinstance(self.value[below.name], tuple | list) and _base_name(below) not in VIEWS
            return (kind, origin, int(node.args[1]) if many else output)
        if name in VIEWS and below is not None:
            return self.base[below.name]
        if not any(True for _ in _values(node)):
            return ("input", node.name, 0)  # symbolic sizes, asserts
        return ("op", node.name, 0)

    def is_op(self, node: Any) -> bool:
        return node.op == "call_function" and self.base[node.name] == ("op", node.name, 0)

    def reads(self, node: Any) -> list[tuple[tuple[Any, ...], str, float]]:
        """(tensor's key, its producer, bytes) of all tensors of other ops that a node reads."""
        found = []
        for below in node.all_input_nodes:
            kind, origin, output = self.base[below.name]
            if kind != "op":
                continue
            view = sum(nbytes(value) for value in _values(below))
            whole = self._output_bytes(origin, output)
            key = (origin, output) if view >= whole or view == 0 else (origin, output, below.name)
            found.append((key, origin, float(min(view, whole) if view else whole)))
        return found

    def _output_bytes(self, origin: str, output: int) -> int:
        value = self.value[origin]
        if isinstance(value, tuple | list):
            value = value[output] if output < len(value) else None
        return nbytes(value)

    def parameter_users(self, nodes: Sequence[Any]) -> dict[str, str]:
        """Colocation group of every op that reads a parameter: those that share one, directly or not."""
        parent: dict[str, str] = {}

        def find(x: str) -> str:
            while parent.setdefault(x, x) != x:
                x = parent[x]
            return x

        touched = []
        for node in nodes:
            if not self.is_op(node):
                continue
            for below in node.all_input_nodes:
                kind, origin, _ = self.base[below.name]
                if kind == "parameter":
                    parent[find(f"op {node.name}")] = find(f"parameter {origin}")
                    touched.append(node.name)
        return {name: find(f"op {name}") for name in touched}


def _carried_bytes(users: Mapping[str, str], source: Sources, nodes: Sequence[Any]) -> dict[str, float]:
    """Parameter bytes, at the first op that reads each."""
    carried: dict[str, float] = {}
    seen: set[str] = set()
    for node in nodes:
        if not source.is_op(node):
            continue
        for below in node.all_input_nodes:
            kind, origin, _ = source.base[below.name]
            if kind == "parameter" and origin not in seen:
                seen.add(origin)
                carried[node.name] = carried.get(node.name, 0.0) + nbytes(source.value[origin])
    return carried


def nbytes(value: Any) -> int:
    """Bytes of a (fake) tensor, 0 for anything else."""
    try:
        return int(value.numel()) * int(value.element_size())
    except (AttributeError, TypeError, ValueError):
        return 0


def _values(node: Any) -> list[Any]:
    """The tensors that a node makes."""
    value = node.meta.get("val")
    parts = value if isinstance(value, tuple | list) else (value,)
    return [part for part in parts if hasattr(part, "element_size")]


def _numel(node: Any) -> int:
    values = _values(node)
    return int(values[0].numel()) if values else 0


def _base_name(node: Any) -> str:
    """``view`` of ``aten.view.default``."""
    packet = getattr(node.target, "overloadpacket", None)
    if packet is not None:
        return str(packet).rpartition(".")[2]
    return str(getattr(node.target, "__name__", node.target))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
