# SPDX-License-Identifier: Apache-2.0
"""`GraphBuilder`: ops and reads in any order, named by anything; an `OpGraph` in the end."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import OpGraph


@dataclass
class GraphBuilder:
    """Collects a graph. Keys of ops and of tensors are the caller's own."""

    name: str
    device_types: tuple[str, ...]
    family: str = ""
    _ops: dict[Hashable, int] = field(default_factory=dict)
    _rows: list[tuple[str, str, tuple[float, ...], float, float, float, Hashable, bool]] = field(default_factory=list)
    _tensors: dict[Hashable, tuple[Hashable, float]] = field(default_factory=dict)
    _reads: dict[tuple[Hashable, Hashable], None] = field(default_factory=dict)

    def op(
        self,
        key: Hashable,
        label: str,
        kind: str,
        compute_s: Sequence[float],
        *,
        param_bytes: float = 0.0,
        output_bytes: float = 0.0,
        workspace_bytes: float = 0.0,
        group: Hashable = None,
        backward: bool = False,
    ) -> None:
        """One op. Ops of one `group` share a device."""
        if key in self._ops:
            raise InvalidInstance(f"graph {self.name!r}: two ops are called {key!r}")
        self._ops[key] = len(self._rows)
        self._rows.append((label, kind, tuple(compute_s), param_bytes, output_bytes, workspace_bytes, group, backward))

    def tensor(self, key: Hashable, op: Hashable, size: float) -> None:
        """An output of `op`, of `size` bytes; of two sizes for one key the larger counts."""
        known = self._tensors.get(key)
        self._tensors[key] = (op, max(size, known[1]) if known else size)

    def read(self, tensor: Hashable, op: Hashable) -> None:
        self._reads[tensor, op] = None

    def build(self) -> OpGraph:
        """Raises `InvalidInstance`, naming the op, for reads of what nobody makes, cycles and bad numbers."""
        for tensor, op in self._reads:
            if op not in self._ops:
                raise InvalidInstance(f"graph {self.name!r}: an edge leads to op {op!r}, which is not there")
            if tensor not in self._tensors:
                raise InvalidInstance(f"graph {self.name!r}, op {op!r}: reads {tensor!r}, which nobody makes")
        for op, _ in self._tensors.values():
            if op not in self._ops:
                raise InvalidInstance(f"graph {self.name!r}: an edge comes from op {op!r}, which is not there")
        ordered = sorted(self._tensors.items(), key=lambda item: self._ops[item[1][0]])
        number = {key: at for at, (key, _) in enumerate(ordered)}
        edges = sorted((number[tensor], self._ops[op]) for tensor, op in self._reads)
        groups: dict[Hashable, int] = {}
        for row in self._rows:
            if row[6] is not None:
                groups.setdefault(row[6], len(groups))
        labels, kinds, cost, param, output, work, group, backward = (
            zip(*self._rows, strict=True) if self._rows else (((),) * 8)
        )
        if not self._rows:
            raise InvalidInstance(f"graph {self.name!r}: there are no ops in it")
        return OpGraph(
            name=self.name,
            op_name=tuple(labels),
            op_type=tuple(kinds),
            device_types=self.device_types,
            compute_s=np.array(cost, np.float64),
            param_bytes=np.array(param, np.float64),
            output_bytes=np.array(output, np.float64),
            workspace_bytes=np.array(work, np.float64),
            tensor_op=np.array([self._ops[op] for _, (op, _) in ordered], np.int64),
            tensor_bytes=np.array([size for _, (_, size) in ordered], np.float64),
            edge_tensor=np.array([t for t, _ in edges], np.int64),
            edge_op=np.array([c for _, c in edges], np.int64),
            colocation=np.array([-1 if g is None else groups[g] for g in group], np.int64),
            is_backward=np.array(backward, np.bool_),
            family=self.family,
        )
