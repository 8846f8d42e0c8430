# SPDX-License-Identifier: Apache-2.0
"""Devices that are running: processes on cores of their own, wired up, with a program loaded."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from trimtab.core.errors import Unavailable, UsageError
from trimtab.core.extras import need

from ..problem import Floats, Ints, OpGraph, PlacementInstance
from ..program.instructions import to_json
from ..program.reading import Runnable
from .control import Worker, all_hear
from .network import INTERFACE
from .op_times import Profile, summary
from .share import Wiring

_WORKER: Final = "trimtab.problems.device_placement.system.worker"
_EMULATED: Final = "trimtab.problems.device_placement.system.emulated"
_START_S: Final = 120.0
_HEAD_START_NS: Final = 20_000_000  # between the word and the beginning of a step


@dataclass(frozen=True, eq=False)
class Measured:
    """One step, as it was: times in s from its beginning."""

    step_time: float
    start: Floats  # (ops,)
    end: Floats  # (ops,)
    arrival: Mapping[tuple[int, int], float]  # (tensor, device) -> s
    busy: Floats  # (devices,) s in ops
    cpu: Floats  # (devices,) s of CPU, transfers included
    sent_bytes: Ints  # (devices,)
    messages: Ints  # (devices,)


class Processes:
    """Workers, a step at a time. A context manager: what it started, it ends; a killed parent leaves nothing either."""

    graph: OpGraph

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.folder = Path(tempfile.mkdtemp(prefix="trimtab-devices-"))
        self.workers: list[Worker] = []
        self._finalizer = weakref.finalize(self, _clean, self.workers, self.folder)

    def step(self, device: Ints, rank: Sequence[int] = (), keep: Path | None = None) -> Measured:
        """Run one step; with `keep`, results are written there, a file for each device."""
        if len(device) != self.graph.num_ops or device.min() < 0 or device.max() >= len(self.workers):
            raise UsageError(f"{self.graph.num_ops} ops on {len(self.workers)} devices: this placement is of others")
        message = {
            "do": "step", "device": device.tolist(), "rank": list(rank), "keep": str(keep) if keep else "",
            "seconds": self.seconds,
        }  # fmt: skip
        self.ask(message, self.seconds, "getting ready")
        begin = time.monotonic_ns() + _HEAD_START_NS
        heard = self.ask({"begin": begin}, self.seconds + 1, "a step")
        return _measured(heard, begin, self.graph.num_ops)

    def ask(self, message: Any, seconds: float, doing: str) -> list[Any]:
        """The same to all, or a message to each; their answers. On any failure everything is ended."""
        messages = message if isinstance(message, list) else [message] * len(self.workers)
        try:
            for worker, own in zip(self.workers, messages, strict=True):
                worker.tell(own)
            return all_hear(self.workers, seconds, doing)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session(Processes):
    """Processes with PyTorch, one per device and core.

    `bytes_per_s`: what a device may send in a second; 0: links are not shaped, and the loopback
    interface is what it is.
    """

    def __init__(
        self, devices: int, bytes_per_s: float = 0.0, *, cores: Sequence[int] = (), seconds: float = 120.0
    ) -> None:
        need("torch", extra="learn", purpose="running placements")
        self.cores = list(cores) or sorted(os.sched_getaffinity(0))
        if devices > len(self.cores):
            raise Unavailable(
                f"{devices} devices need {devices} cores, one each, and this machine offers {len(self.cores)}; "
                "the backend 'emulated' needs none"
            )
        super().__init__(seconds)
        self.bytes_per_s = bytes_per_s
        shaped = devices > 1 and bytes_per_s > 0
        environment = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment["GLOO_SOCKET_IFNAME"] = INTERFACE if shaped else "lo"
        try:
            for rank in range(devices):
                core = {"TRIMTAB_CORE": str(self.cores[rank])}
                self.workers.append(Worker(_WORKER, f"device {rank}", {**environment, **core}))
            if shaped:
                self._wire()
            store = str(self.folder / "store")
            self.ask(
                [{"do": "join", "rank": r, "devices": devices, "store": store, "seconds": seconds}
                 for r in range(devices)], _START_S, "starting",
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def _wire(self) -> None:
        """Namespaces first; then the wires, which go from one to another; then addresses and shapers."""
        pids = [heard["pid"] for heard in self.ask({"do": "isolate"}, _START_S, "starting")]
        self.workers[0].tell({"do": "connect", "pids": pids})
        self.workers[0].hear(_START_S, "wiring up")
        self.ask(
            [{"do": "bring_up", "rank": r, "bytes_per_s": self.bytes_per_s} for r in range(len(self.workers))],
            _START_S, "wiring up",
        )  # fmt: skip

    def load(self, runnable: Runnable, graph: OpGraph) -> None:
        """Every device gets the whole program; which ops of it are its own, each step says."""
        save_file = need("safetensors.torch", extra="fast", purpose="handing a program over").save_file
        self.runnable, self.graph = runnable, graph
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "program.json").write_text(json.dumps(to_json(runnable.program)))
        save_file(
            {key: value.contiguous().clone() for key, value in runnable.state.items()}, folder / "state.safetensors"
        )
        save_file({str(i): x.contiguous() for i, x in enumerate(runnable.inputs)}, folder / "inputs.safetensors")
        message = {"do": "load", "folder": str(folder), "wiring": Wiring.of(graph).to_json()}
        self.ask(message, _START_S, "loading the program")
        shutil.rmtree(folder)

    def profile(self, repeats: int = 5, *, together: bool = False) -> list[Profile]:
        """Seconds of each op on each device: one device after the other, or all at the same time."""
        message = {"do": "profile", "repeats": repeats + 1}
        if together:
            heard = self.ask(message, self.seconds, "profiling")
        else:
            heard = []
            for worker in self.workers:
                worker.tell(message)
                heard.append(worker.hear(self.seconds, "profiling"))
        return [summary(each["runs"]) for each in heard]


class Emulated(Processes):
    """Processes that sleep and send, as many as you like."""

    def __init__(self, devices: int, *, seconds: float = 120.0) -> None:
        super().__init__(seconds)
        pairs = {(a, b): socket.socketpair() for b in range(devices) for a in range(b)}
        try:
            for here in range(devices):
                peers = {
                    other: pairs[min(here, other), max(here, other)][here > other]
                    for other in range(devices)
                    if other != here
                }
                self.workers.append(Worker(_EMULATED, f"device {here}", {}, peers))
        except BaseException:
            self.close()
            raise
        finally:
            for pair in pairs.values():
                for end in pair:
                    end.close()

    def load(self, instance: PlacementInstance) -> None:
        """Costs and links of an instance, whose transfers share links as 'bus' or 'parallel'."""
        topology = instance.topology
        if topology.links not in ("bus", "parallel"):
            raise Unavailable(f"links {topology.links!r} can't be emulated; 'bus' and 'parallel' can")
        self.graph = instance.graph
        wiring, ns = Wiring.of(instance.graph).to_json(), 1e9
        cost = np.where(np.isfinite(instance.cost), instance.cost, 0.0)  # a placement never puts an op where it is inf
        self.ask([
            {
                "do": "load", "here": here, "wiring": wiring, "links": topology.links,
                "cost": np.rint(cost[:, here] * ns).astype(np.int64).tolist(),
                "alpha": np.rint(topology.alpha_s[here] * ns).astype(np.int64).tolist(),
                "beta": (topology.beta_s_per_B[here] * ns).tolist(),
                "overhead": round(float(topology.op_overhead_s[here]) * ns), "gap": round(topology.link_gap_s * ns),
            }
            for here in range(len(self.workers))
        ], _START_S, "loading the graph")  # fmt: skip


def _clean(workers: list[Worker], folder: Path) -> None:
    for worker in workers:
        worker.close()
    shutil.rmtree(folder, ignore_errors=True)


def _measured(heard: Sequence[Any], begin: int, ops: int) -> Measured:
    start, end = np.zeros(ops), np.zeros(ops)
    arrival: dict[tuple[int, int], float] = {}
    busy = np.zeros(len(heard))
    for device, told in enumerate(heard):
        for op, first, last in told["ops"]:
            start[op], end[op] = (first - begin) * 1e-9, (last - begin) * 1e-9
            busy[device] += (last - first) * 1e-9
        for tensor, at in told["arrivals"]:
            arrival[tensor, device] = (at - begin) * 1e-9
    return Measured(
        (max(told["end"] for told in heard) - begin) * 1e-9, start, end, arrival, busy,
        np.array([told["cpu_ns"] for told in heard]) * 1e-9,
        np.array([told["sent_bytes"] for told in heard], np.int64),
        np.array([told["messages"] for told in heard], np.int64),
    )  # fmt: skip
