# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import TrimtabError, Unavailable, UsageError
from trimtab.problems.device_placement.problem import Ints, Placement, PlacementInstance, homogeneous, units
from trimtab.problems.device_placement.system.backend import RealProcesses, shipped
from trimtab.problems.device_placement.system.calibrate import calibrate, fit
from trimtab.problems.device_placement.system.op_times import summary
from trimtab.problems.device_placement.system.session import Session
from trimtab.problems.device_placement.workload.files import load
from trimtab.problems.device_placement.workload.suites import SHIPPED

from .test_emulated import gone

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402

from trimtab.problems.device_placement.program.execute import Executable  # noqa: E402

CORES = [min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))]  # one core will do: nothing is timed


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(2, cores=CORES) as running:
        yield running


def random_placement(name: str, seed: int) -> Ints:
    unit, first = units(load(SHIPPED / f"{name}.npz")[0])
    return np.random.default_rng(seed).integers(0, 2, len(first))[unit]


@pytest.mark.parametrize("name", ["unet-inference", "mixtral-inference", "densenet-training"])
def test_a_placed_module_gives_what_it_gives_in_one_piece(session: Session, name: str, tmp_path: Path) -> None:
    runnable, graph = shipped(name), load(SHIPPED / f"{name}.npz")[0]
    session.load(runnable, graph)
    device = random_placement(name, 1)
    step = session.step(device, keep=tmp_path)
    got = load_file(tmp_path / "0.safetensors") | load_file(tmp_path / "1.safetensors")
    executable = Executable(runnable.program)
    values = executable.leaves({key: value.clone() for key, value in runnable.state.items()}, runnable.inputs)
    whole = executable.run(values)
    assert len(got) == len(whole) + len(runnable.program.updates)
    for i, result in enumerate(whole):
        torch.testing.assert_close(got[f"result_{i}"], result, rtol=1e-4, atol=1e-5)
    for leaf in runnable.program.updates:
        torch.testing.assert_close(got[f"leaf_{leaf}"], values[leaf], rtol=1e-4, atol=1e-6)
    crossing = {
        (t, int(device[op]))
        for t, op in zip(graph.edge_tensor, graph.edge_op, strict=True)
        if device[graph.tensor_op[t]] != device[op]
    }
    assert step.sent_bytes.sum() == sum(graph.tensor_bytes[t] for t, _ in crossing)  # what the simulator moves
    assert step.messages.sum() == len(crossing) == len(step.arrival)
    for t, op in zip(graph.edge_tensor, graph.edge_op, strict=True):
        assert step.end[graph.tensor_op[t]] <= step.start[op]


def test_a_module_in_one_piece_is_the_module() -> None:
    from trimtab.problems.device_placement.workload.models import make

    module, inputs = make("unet")
    runnable = shipped("unet-inference")
    executable = Executable(runnable.program)
    with torch.no_grad():
        torch.testing.assert_close(
            executable.run(executable.leaves(runnable.state, inputs))[0], module.eval()(*inputs), rtol=1e-4, atol=1e-5
        )


def test_op_times_add_up(session: Session) -> None:
    name = "unet-inference"
    session.load(shipped(name), load(SHIPPED / f"{name}.npz")[0])
    for profile in session.profile(3):
        assert len(profile.seconds) == len(shipped(name).program.ops)
        assert 0.9 <= profile.agreement <= 1.1
    with pytest.raises(TrimtabError, match="too busy for a profile"):
        summary([([1000, 1000], 2000, 5000)])


def test_links_are_measured(session: Session) -> None:
    costs = calibrate(session, repeats=5)
    assert costs.beta_s_per_B[0, 1] > 0
    assert costs.beta_s_per_B[0, 0] == 0
    assert 0 < costs.gap_s < 1e-3


def test_fit_finds_a_line() -> None:
    sizes = np.array([1e4, 1e5, 1e6, 1e7])
    alpha, beta, error = fit(sizes, 1e-4 + 8e-9 * sizes)
    assert (alpha, beta, error) == pytest.approx((1e-4, 8e-9, 0.0), abs=1e-12)


def test_a_placement_of_another_graph(session: Session) -> None:
    name = "unet-inference"
    session.load(shipped(name), load(SHIPPED / f"{name}.npz")[0])
    with pytest.raises(UsageError, match="this placement is of others"):
        session.step(np.zeros(3, np.int64))


def test_links_are_shaped_and_leave_nothing() -> None:
    before = subprocess.run(["ip", "link"], capture_output=True, text=True, check=False).stdout
    try:
        session = Session(2, 20e6, cores=CORES)
    except Unavailable as error:
        pytest.skip(str(error))
    with session:
        assert calibrate(session, repeats=1).beta_s_per_B[0, 1] == pytest.approx(1 / 20e6, rel=0.1)
    assert subprocess.run(["ip", "link"], capture_output=True, text=True, check=False).stdout == before
    assert not session.folder.exists()


def test_who_may_not_shape_links_is_told_so() -> None:
    program = (
        "import os; from trimtab.problems.device_placement.system import network\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "network.isolate()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "links can't be shaped here: a network namespace of one's own is refused" in done.stderr


def test_a_dead_device_is_named() -> None:
    name = "unet-inference"
    session = Session(2, cores=CORES, seconds=20)
    pids = [worker.process.pid for worker in session.workers]
    session.load(shipped(name), load(SHIPPED / f"{name}.npz")[0])
    os.kill(pids[1], signal.SIGKILL)
    with pytest.raises(TrimtabError, match="device 1 was ended by signal 9"):
        session.step(random_placement(name, 0))
    assert gone(pids)


def test_the_backend_says_what_it_can_not_run() -> None:
    graph = load(SHIPPED / "unet-inference.npz")[0]
    backend = RealProcesses(repeats=1)
    for topology, why in (
        (homogeneous("many", 64, kind="core", bandwidth=1e9), "64 devices need 64 cores"),
        (homogeneous("free", 1, kind="core", bandwidth=1e9, links="parallel"), "one way out each"),
    ):
        with pytest.raises(Unavailable, match=why):
            backend.evaluate(PlacementInstance(graph, topology), Placement(np.zeros(graph.num_ops, np.int64)), seed=0)
    with pytest.raises(Unavailable, match="no module that trimtab can make"):
        shipped("elsewhere")


def test_the_backend_runs_a_shipped_graph() -> None:
    graph = load(SHIPPED / "unet-inference.npz")[0]
    one = PlacementInstance(graph, homogeneous("one", 1, kind="core", bandwidth=1e9))
    backend = RealProcesses(repeats=1)
    try:
        outcome = backend.evaluate(one, Placement(np.zeros(graph.num_ops, np.int64)), seed=0)
    finally:
        backend.close()
    assert outcome.feasible
    assert outcome.metrics["step_time"] == pytest.approx(outcome.metrics["max_load"], rel=0.5)
