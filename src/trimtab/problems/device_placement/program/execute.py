# SPDX-License-Identifier: Apache-2.0
"""Runs instructions of a `Program`, all of them or one device's share, on values that stand in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from .instructions import LEAVES, Named, Node, Program, Ref

_NAMESPACES: Final = ("aten", "prims", "quantized", "torchvision")


class Values(list[Any]):
    """What each node gave, `None` before and after; and smaller views that came from elsewhere without their base."""

    received: dict[Ref, Any]

    def __init__(self, nodes: Sequence[Any]) -> None:
        super().__init__(nodes)
        self.received = {}


#: Runs one op: reads `values`, puts its own there.
Step = Callable[[Values], None]


class Executable:
    """A program whose ops can be called one at a time.

    `device` is where ops that make tensors from nothing put them.
    """

    def __init__(self, program: Program, device: str = "cpu") -> None:
        self.program, self.device = program, device
        self.torch = need("torch", extra="learn", purpose="running a placed program")
        self.steps: dict[int, Step] = {
            at: self._step(at, node) for at, node in enumerate(program.nodes) if node.kind == "op"
        }
        self.reads: dict[int, tuple[int, ...]] = {
            at: tuple({ref.node: None for ref in program.reads(at)}) for at in self.steps
        }
        self._results = [self.getter(ref) for ref in program.results]
        self._updates = [(leaf, self.getter(ref), program.base(ref).node) for leaf, ref in program.updates.items()]
        self.kept = frozenset(program.base(ref).node for ref in (*program.results, *program.updates.values()))

    def leaves(self, module_state: Mapping[str, Any], inputs: Sequence[Any]) -> Values:
        """Values with the leaves in place: parameters, buffers and constants by name, inputs in order."""
        values = Values([None] * len(self.program.nodes))
        given = iter(inputs)
        for at, node in enumerate(self.program.nodes):
            if node.kind == "input":
                values[at] = next(given, None)
                self._check_input(node, values[at])
            elif node.kind in LEAVES:
                if node.name not in module_state:
                    raise InvalidInstance(f"program {self.program.name!r}: the {node.kind} {node.name!r} is missing")
                values[at] = module_state[node.name]
        return values

    def run(self, values: Values) -> list[Any]:
        """All ops in order, each value dropped after its last use; the results."""
        self.run_ops(values)
        return self.finish(values)

    def run_ops(self, values: Values) -> None:
        drop = self.drops
        with self.torch.no_grad():
            for at, step in self.steps.items():
                step(values)
                for value in drop.get(at, ()):
                    values[value] = None

    @cached_property
    def drops(self) -> Mapping[int, Sequence[int]]:
        """Values whose last reader an op is."""
        last: dict[int, int] = {at: at for at in self.steps}
        for at, reads in self.reads.items():
            last.update(dict.fromkeys(reads, at))
        drop: dict[int, list[int]] = {}
        for value, at in last.items():
            if self.program.nodes[value].kind == "op" and value not in self.kept:
                drop.setdefault(at, []).append(value)
        return drop

    def finish(self, values: Values, mine: Callable[[int], bool] = lambda node: True) -> list[Any]:
        """Results, and updates of leaves, of the ops that were run here; None for those of others."""
        with self.torch.no_grad():
            results = [get(values) if self._here(ref, mine) else None for get, ref in self._got()]
            new = [(leaf, get(values)) for leaf, get, base in self._updates if self._is_leaf(base) or mine(base)]
            for leaf, value in new:
                values[leaf].copy_(value)
        return results

    def _got(self) -> Iterable[tuple[Callable[[Values], Any], Ref]]:
        return zip(self._results, self.program.results, strict=True)

    def _here(self, ref: Ref, mine: Callable[[int], bool]) -> bool:
        base = self.program.base(ref).node
        return self._is_leaf(base) or mine(base)

    def _is_leaf(self, node: int) -> bool:
        return self.program.nodes[node].kind in LEAVES

    def _check_input(self, node: Node, value: Any) -> None:
        shape = node.outputs[0]
        if shape is None:
            return
        if not isinstance(value, self.torch.Tensor) or tuple(value.shape) != shape.size:
            got = tuple(value.shape) if isinstance(value, self.torch.Tensor) else type(value).__name__
            raise InvalidInstance(
                f"program {self.program.name!r}: input {node.name!r} is {got}; it was traced with {shape.size}"
            )

    def _step(self, at: int, node: Node) -> Step:
        call = operator(self.torch, node)
        args = [self._value(a) for a in node.args]
        kwargs = {key: self._value(a) for key, a in node.kwargs.items()}
        if not kwargs:

            def plain(values: Values) -> None:
                values[at] = call(*[get(values) for get in args])

            return plain

        def step(values: Values) -> None:
            values[at] = call(*[get(values) for get in args], **{key: get(values) for key, get in kwargs.items()})

        return step

    def _value(self, argument: Any) -> Callable[[Values], Any]:
        """How an argument is found among the values."""
        if isinstance(argument, Ref):
            return self.getter(argument)
        if isinstance(argument, (list, tuple)):
            items = [self._value(item) for item in argument]
            return lambda values: [get(values) for get in items]
        constant = self._constant(argument) if isinstance(argument, Named) else argument
        return lambda values: constant

    def getter(self, ref: Ref) -> Callable[[Values], Any]:
        """How a value is found: where it was made, or by making the view."""
        at, output, node = ref.node, ref.output, self.program.nodes[ref.node]
        many = len(node.outputs) > 1
        if node.kind == "view":
            call = operator(self.torch, node)
            args = [self._value(a) for a in node.args]
            kwargs = {key: self._value(a) for key, a in node.kwargs.items()}

            def view(values: Values) -> Any:
                if ref in values.received:
                    return values.received[ref]
                made = call(*[get(values) for get in args], **{key: get(values) for key, get in kwargs.items()})
                return made[output] if many else made

            return view
        if many:
            return lambda values: values[at][output]
        return lambda values: values[at]

    def _constant(self, named: Named) -> Any:
        if named.kind == "device":
            return self.torch.device(self.device)
        value = getattr(self.torch, named.name, None)
        if not isinstance(value, getattr(self.torch, named.kind)):
            raise InvalidInstance(f"program {self.program.name!r}: torch has no {named.kind} {named.name!r}")
        return value


def operator(torch: Any, node: Node) -> Any:
    """The ATen operator of a node, such as ``torch.ops.aten.mm.default``."""
    namespace, _, rest = node.target.partition(".")
    packet, _, overload = rest.rpartition(".")
    try:
        if namespace not in _NAMESPACES:
            raise AttributeError(namespace)
        found = getattr(getattr(getattr(torch.ops, namespace), packet), overload)
    except AttributeError as error:
        raise InvalidInstance(f"op {node.name!r}: this PyTorch has no operator {node.target!r}") from error
    return found
