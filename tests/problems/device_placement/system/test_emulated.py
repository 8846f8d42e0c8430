# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import TrimtabError, Unavailable
from trimtab.problems.device_placement.problem import Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.system.backend import EmulatedDevices, loads
from trimtab.problems.device_placement.system.session import Emulated

from ..made import graph_of


def instance(
    devices: int, cost: list[float], edges: list[tuple[int, int, float]], **topology: object
) -> PlacementInstance:
    graph = dataclasses.replace(graph_of(cost, edges), device_types=("core",))
    links = {"bandwidth": 50e6, "latency_s": 1e-3, **topology}
    return PlacementInstance(graph, homogeneous("made", devices, kind="core", **links))  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))


@pytest.mark.parametrize("links", ["bus", "parallel"])
def test_a_chain_over_three_devices_takes_its_ops_and_its_transfers(links: str) -> None:
    made = instance(3, [0.02, 0.03, 0.01, 0.02], [(0, 1, 1e6), (1, 2, 2e6), (2, 3, 0.0)], links=links)
    placement = Placement(np.array([0, 1, 2, 0]))
    predicted = Simulator().evaluate(made, placement, seed=0).metrics["step_time"]
    assert predicted == pytest.approx(0.08 + 3e6 / 50e6 + 3e-3)
    with Emulated(3) as session:
        session.load(made)
        steps = [session.step(placement.device) for _ in range(3)]
    best = min(steps, key=lambda step: step.step_time)
    assert predicted - 1e-6 <= best.step_time <= predicted + 0.03  # never less; more where the machine is busy
    assert best.sent_bytes.tolist() == [1_000_000, 2_000_000, 0]
    assert best.messages.tolist() == [1, 1, 1]
    starts, ends = best.start, best.end
    for (tensor, _), at in best.arrival.items():
        assert ends[tensor] < at <= starts[tensor + 1]
    np.testing.assert_allclose(ends - starts, [0.02, 0.03, 0.01, 0.02], atol=1e-9)
    worked = loads(best, made.graph, placement.device)
    assert worked[1] == pytest.approx(0.03 + 2e6 / 50e6 + 1e6 / 50e6 + 2e-3, abs=0.03)


def test_one_way_out_is_shared_and_parallel_links_are_not() -> None:
    edges = [(0, 2, 2e6), (1, 3, 2e6)]
    seconds = {}
    for links in ("bus", "parallel"):
        made = instance(2, [0.0, 0.0, 0.001, 0.001], edges, links=links)
        with Emulated(2) as session:
            session.load(made)
            step = min((session.step(np.array([0, 0, 1, 1])) for _ in range(3)), key=lambda s: s.step_time)
        seconds[links] = step.step_time
    assert seconds["bus"] >= 0.08 > 0.079 > seconds["parallel"] >= 0.04


def test_the_backend_reports_what_the_simulator_does() -> None:
    made = instance(2, [0.004] * 6, [(i, i + 1, 1e5) for i in range(5)], queue="priority")
    placement = Placement(np.array([0, 0, 0, 1, 1, 1]), np.arange(6.0))
    backend = EmulatedDevices(repeats=1)
    try:
        real = backend.evaluate(made, placement, seed=0)
        model = Simulator().evaluate(made, placement, seed=0)
        assert real.metrics.keys() == model.metrics.keys() - {"live_memory"}  # which is optional
        assert real.metrics["step_time"] == pytest.approx(model.metrics["step_time"], rel=0.5)
        assert real.metrics["peak_memory"] == model.metrics["peak_memory"]
        assert not backend.evaluate(made, Placement(np.full(6, 7)), seed=0).feasible
    finally:
        backend.close()


def test_links_that_no_process_has_of_its_own() -> None:
    made = instance(2, [0.001, 0.001], [(0, 1, 1e3)], links="switch")
    with Emulated(2) as session, pytest.raises(Unavailable, match="'switch' can't be emulated"):
        session.load(made)


def test_a_dead_device_is_named_and_all_are_ended() -> None:
    made = instance(2, [0.5, 0.5], [(0, 1, 1e3)])
    session = Emulated(2)
    pids = [worker.process.pid for worker in session.workers]
    session.load(made)
    threading.Timer(0.3, os.kill, (pids[0], signal.SIGKILL)).start()
    with pytest.raises(TrimtabError, match=r"device 0 was ended by signal 9|device 0 has gone"):
        session.step(np.array([0, 1]))
    assert session.closed
    assert gone(pids)


def test_a_step_that_does_not_end() -> None:
    made = instance(2, [5.0, 0.1], [(0, 1, 1e3)])
    session = Emulated(2, seconds=0.5)
    pids = [worker.process.pid for worker in session.workers]
    session.load(made)
    with pytest.raises(TrimtabError, match=r"device \d.*(0 s|1 s)"):
        session.step(np.array([0, 1]))
    assert gone(pids)
    assert not session.folder.exists()


def test_a_killed_parent_leaves_nothing() -> None:
    program = (
        "import sys, time; from trimtab.problems.device_placement.system.session import Emulated; s = Emulated(2);"
        "print(*[w.process.pid for w in s.workers], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    assert gone(pids)
