# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.problems.device_placement.deploy import read_plan, run_placed, split_spec, trace

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

MODEL = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    layers = nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)
    return nn.Sequential(*layers), (torch.randn(5, 6),)
"""

RANK = """
import datetime, sys
from pathlib import Path
import torch, torch.distributed as dist
sys.path.insert(0, sys.argv[1])
from model import make
from trimtab.problems.device_placement.deploy import Placed, run_placed
rank, plan, folder = int(sys.argv[2]), sys.argv[3], Path(sys.argv[1])
dist.init_process_group("gloo", rank=rank, world_size=2, store=dist.FileStore(str(folder / "store")),
                        timeout=datetime.timedelta(seconds=30))
module, inputs = make()
if sys.argv[4] == "call":
    torch.save(run_placed(module, plan, *inputs), folder / f"result{rank}.pt")
else:
    placed = Placed(module, plan, inputs)
    losses = [placed(*inputs) for _ in range(3)]
    placed.collect()
    torch.save([losses, [p.detach() for p in module.parameters()]], folder / f"result{rank}.pt")
"""


def made(tmp_path: Path) -> tuple[Any, Any]:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "rank.py").write_text(RANK)
    space: dict[str, Any] = {}
    exec(MODEL, space)
    return space["make"]()  # type: ignore[no-any-return]


def plan_of(module: Any, inputs: Any, devices: Any, training: bool = False) -> dict[str, Any]:
    """Devices by the place of the linear layer that an op belongs to, or is behind of."""
    empty = {"graph": "made", "devices": ["a", "b"], "device_of_op": {}, "training": training}
    from trimtab.problems.device_placement.problem import units
    from trimtab.problems.device_placement.workload import torch_graph

    traced = (torch_graph.trace_training if training else torch_graph.export_module)(module, inputs)
    graph = torch_graph.build(traced, "made", lambda node: 1.0)
    unit, _ = units(graph)
    return {**empty, "device_of_op": {name: devices(int(u)) for name, u in zip(graph.op_name, unit, strict=True)}}


def run_ranks(tmp_path: Path, plan: dict[str, Any], what: str) -> list[Any]:
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    ranks = [
        subprocess.Popen(
            [sys.executable, tmp_path / "rank.py", tmp_path, str(rank), tmp_path / "plan.json", what],
            stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = [process.communicate(timeout=90)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], said
    return [torch.load(tmp_path / f"result{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_a_plan_that_goes_back_and_forth_gives_the_modules_output_on_every_rank(tmp_path: Path) -> None:
    module, inputs = made(tmp_path)
    results = run_ranks(tmp_path, plan_of(module, inputs, lambda unit: unit % 2), "call")
    with torch.no_grad():
        expected = module(*inputs)
    for result in results:
        torch.testing.assert_close(result, expected)


def test_training_steps_are_those_of_sgd(tmp_path: Path) -> None:
    module, inputs = made(tmp_path)
    results = run_ranks(tmp_path, plan_of(module, inputs, lambda unit: unit % 2, training=True), "train")
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    expected = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = (module(*inputs) ** 2).mean()
        loss.backward()
        optimiser.step()
        expected.append(loss.detach())
    for losses, parameters in results:
        torch.testing.assert_close(losses, expected)
        torch.testing.assert_close(parameters, [p.detach() for p in module.parameters()])


def test_split_points_cut_a_pipeline_where_the_plan_does(tmp_path: Path) -> None:
    from torch.distributed.pipelining import pipeline

    module, inputs = made(tmp_path)
    plan = plan_of(module, inputs, lambda unit: int(unit >= 2))  # ops: linear, relu, linear, tanh, linear
    spec = split_spec(module, inputs, plan)
    assert list(spec) == ["2"]
    pipe = pipeline(module, mb_args=inputs, split_spec=spec)
    assert pipe.num_stages == 2
    second = {name for name, _ in pipe.get_stage_module(1).named_parameters()}
    assert {name.rpartition(".")[0] for name in second} == {"2", "4"}
    with pytest.raises(UsageError, match="stages interleave"):
        split_spec(module, inputs, plan_of(module, inputs, lambda unit: [0, 0, 1, 0, 0][unit]))


def test_plans_that_are_none(tmp_path: Path) -> None:
    module, inputs = made(tmp_path)
    plan = plan_of(module, inputs, lambda unit: 0)
    for nonsense in ({}, {**plan, "devices": 3}, {**plan, "device_of_op": [1]}):
        with pytest.raises(InvalidInstance, match="not a plan"):
            read_plan(nonsense)
    with pytest.raises(InvalidInstance, match="on device 5 of 2"):
        read_plan({**plan, "device_of_op": {"linear": 5}})
    with pytest.raises(InvalidInstance, match="can't be read"):
        read_plan(tmp_path / "missing.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidInstance, match=r"bad\.json: not a plan"):
        read_plan(tmp_path / "bad.json")
    with pytest.raises(InvalidInstance, match="of another module"):
        trace(nn.Linear(6, 2), inputs, read_plan(plan))
    with pytest.raises(UsageError, match="needs a process group"):
        run_placed(module, plan, *inputs)
