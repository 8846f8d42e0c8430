# SPDX-License-Identifier: Apache-2.0
"""How long ops take: run one after another on this machine, by the clock of the thread.

One thread of torch, thread CPU time (other programs do not count), the median of
several repeats with the tensors of the run itself. The sum over ops is compared
with the same program run whole: `Profile.coverage` near 1 says that nothing was
missed and nothing counted twice.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from .torch_graph import Traced, nbytes


@dataclass(frozen=True)
class Profile:
    """Seconds of each node, of the whole program, and of one call of an op that does nothing."""

    node_s: Mapping[str, float]
    whole_s: float
    repeats: int

    @property
    def coverage(self) -> float:
        """Sum of ops / whole."""
        return sum(self.node_s.values()) / self.whole_s


def profile(traced: Traced, repeats: int = 5) -> Profile:
    """Run the program `repeats` times op by op, and as often whole; the first run of each is thrown away."""
    torch = need("torch", extra="learn", purpose="profiling PyTorch modules")
    if any(getattr(value, "is_meta", False) for value in traced.inputs):
        raise InvalidInstance("a program on the meta device has no memory, and can't be profiled; see --nominal")
    seen: dict[str, list[float]] = {}

    class Timer(torch.fx.Interpreter):  # type: ignore[misc, name-defined]  # torch is not imported at the top
        def run_node(self, n: Any) -> Any:
            if n.op != "call_function":
                return super().run_node(n)
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            begin = time.thread_time_ns()
            out = n.target(*args, **kwargs)
            seen.setdefault(n.name, []).append((time.thread_time_ns() - begin) * 1e-9)
            return out

    whole: list[float] = []
    plain = torch.fx.GraphModule(traced.module, _flat_graph(torch, traced.module.graph))
    kept = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for _ in range(repeats + 1):
                Timer(traced.module).run(*traced.inputs)
                begin = time.thread_time_ns()
                plain(*traced.inputs)
                whole.append((time.thread_time_ns() - begin) * 1e-9)
    finally:
        torch.set_num_threads(kept)
    return Profile(
        {name: statistics.median(values[1:]) for name, values in seen.items()}, statistics.median(whole[1:]), repeats
    )


def _flat_graph(torch: Any, graph: Any) -> Any:
    """The same graph as a function of its placeholders, one by one."""
    copy = torch.fx.Graph()
    copy.output(copy.graph_copy(graph, {}))
    return copy


@dataclass(frozen=True)
class Nominal:
    """A device by its data sheet: an op takes the longest of its arithmetic, its memory traffic and a launch."""

    flops: float  # per s
    memory_bandwidth: float  # B per s
    launch_s: float = 5e-6

    def seconds(self, node: Any) -> float:
        """For ops that were never run, such as those of a graph on the meta device."""
        counter = need("torch.utils.flop_counter", extra="learn", purpose="estimating ops")
        values = [a.meta.get("val") for a in node.all_input_nodes]
        moved = sum(nbytes(value) for value in values)
        out = node.meta.get("val")
        moved += sum(nbytes(value) for value in (out if isinstance(out, tuple | list) else (out,)))
        rule = counter.flop_registry.get(getattr(node.target, "overloadpacket", None))
        work = _composite_flops(node, values, out)
        if work == 0.0 and rule is not None:
            args = [a.meta.get("val") if hasattr(a, "meta") else a for a in node.args]
            kwargs = {k: (v.meta.get("val") if hasattr(v, "meta") else v) for k, v in node.kwargs.items()}
            work = float(rule(*args, **kwargs, out_val=out))
        elif work == 0.0 and values:
            work = float(np.prod(getattr(out, "shape", (1,)) or (1,)))
        return max(work / self.flops, moved / self.memory_bandwidth, self.launch_s)


def _composite_flops(node: Any, values: Sequence[Any], out: Any) -> float:
    """Of operators that `torch.export` leaves whole, which torch's own counter does not know; 0 for others."""
    name = str(getattr(node.target, "overloadpacket", "")).rpartition(".")[2]
    elements = float(np.prod(getattr(out, "shape", ()), dtype=np.int64)) if hasattr(out, "shape") else 0.0
    if name in ("linear", "matmul") and len(values) > 1:
        return 2.0 * elements * float(values[0].shape[-1])
    if name in ("conv1d", "conv2d", "conv3d") and len(values) > 1:
        return 2.0 * elements * float(np.prod(values[1].shape[1:], dtype=np.int64))
    if name == "scaled_dot_product_attention" and len(values) > 2:
        return 4.0 * float(np.prod(values[0].shape, dtype=np.int64)) * float(values[1].shape[-2])
    return 0.0
