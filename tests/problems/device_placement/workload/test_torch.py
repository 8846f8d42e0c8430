# SPDX-License-Identifier: Apache-2.0
"""Graphs of PyTorch programs: what is an op, what is read from where, what must stay together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.problems.device_placement.workload import parse
from trimtab.problems.device_placement.workload.capture import capture, command, maker, quantity
from trimtab.problems.device_placement.workload.models import MODELS
from trimtab.problems.device_placement.workload.profiling import Nominal, profile
from trimtab.problems.device_placement.workload.suites import FAMILIES
from trimtab.problems.device_placement.workload.torch_graph import build, export_module, trace_training

NOMINAL = Nominal(flops=1e9, memory_bandwidth=1e9, launch_s=0.0)


class Small(torch.nn.Module):
    """Two linear layers that share a weight, a chunk, and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 8, bias=False)
        self.other = torch.nn.Linear(8, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        once = torch.relu(self.first(x))
        left, right = self.first(once).chunk(2, dim=1)
        return (left + right) @ self.other(once).t()


def inference() -> object:
    return export_module(Small(), (torch.randn(4, 8),))


def test_ops_views_and_bytes() -> None:
    graph = build(inference(), "small", NOMINAL.seconds)  # type: ignore[arg-type]
    kinds = [kind.split(".")[1] for kind in graph.op_type]
    assert kinds == ["linear", "relu", "linear", "add", "linear", "matmul"]  # no chunk, no t
    sizes = {
        (kinds[a], kinds[b], float(c))
        for a, b, c in zip(graph.sources, graph.edge_op, graph.tensor_bytes[graph.edge_tensor], strict=True)
    }
    assert ("linear", "add", 64.0) in sizes  # half of 4 x 8 floats
    assert ("relu", "linear", 128.0) in sizes
    assert int((graph.edge_op == 3).sum()) == 2  # both halves, each a tensor


def test_ops_that_share_a_weight_share_a_device() -> None:
    graph = build(inference(), "small", NOMINAL.seconds)  # type: ignore[arg-type]
    assert graph.colocation[0] == graph.colocation[2] >= 0
    assert graph.colocation[4] not in (-1, graph.colocation[0])
    assert graph.param_bytes.tolist() == [256.0, 0, 0, 0, 128.0, 0]  # at the first reader


def test_a_training_step_keeps_a_weight_in_one_place() -> None:
    module = Small()
    traced = trace_training(module, (torch.randn(4, 8),))
    graph = build(traced, "small", NOMINAL.seconds)
    assert graph.is_backward.any() and not graph.is_backward[0]
    updates = [i for i, kind in enumerate(graph.op_type) if kind.startswith("aten.sub")]
    assert len(updates) == 2 and graph.is_backward[updates].all()
    assert {graph.colocation[i] for i in updates} == set(graph.colocation[graph.colocation >= 0].tolist())
    assert graph.param_bytes.sum() == sum(p.numel() * 4 for p in module.parameters())


def test_the_step_that_was_traced_is_gradient_descent() -> None:
    module, x = Small(), torch.randn(4, 8)
    traced = trace_training(module, (x,), rate=0.1)
    *updated, told = torch.fx.Interpreter(traced.module).run(*traced.inputs)
    loss = (module(x) ** 2).mean()
    loss.backward()
    assert torch.allclose(told, loss.detach())
    assert traced.updated == tuple(name for name, _ in module.named_parameters())
    for new, old in zip(updated, module.parameters(), strict=True):
        assert torch.allclose(new, old - 0.1 * old.grad, atol=1e-6)


def test_estimates_count_multiply_adds_twice() -> None:
    """4 x 8 by 8 x 8: 512 flop; 4 x 4 by 4 x 4, 128."""
    graph = build(inference(), "small", Nominal(1e9, 1e18, 0.0).seconds)  # type: ignore[arg-type]
    assert graph.compute_s[0, 0] == pytest.approx(512e-9, abs=1e-8)
    assert graph.compute_s[5, 0] == pytest.approx(128e-9, abs=1e-8)


def test_a_module_on_the_meta_device_needs_no_memory() -> None:
    """A billion parameters."""
    with torch.device("meta"):
        module, x = (
            torch.nn.Sequential(*[torch.nn.Linear(16384, 16384, bias=False) for _ in range(4)]),
            torch.empty(1, 16384),
        )
    graph, card = capture(module, (x,), "large", "large", False, nominal=Nominal(1e12, 1e11))
    assert graph.param_bytes.sum() == 4 * 16384**2 * 4 and "coverage" not in card
    with pytest.raises(InvalidInstance, match="has no memory, and can't be profiled"):
        profile(export_module(module, (x,)))


def test_what_does_not_export_says_why() -> None:
    class Bad(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum().item() > 0 else -x

    with pytest.raises(InvalidInstance, match="module Bad does not export"):
        export_module(Bad(), (torch.randn(3),))
    with pytest.raises(InvalidInstance, match="a training step of module Identity can't be traced"):
        trace_training(torch.nn.Identity(), (torch.randn(3),))


def test_the_profile_adds_up() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(*[torch.nn.Linear(512, 512) for _ in range(6)])
    measured = profile(export_module(module, (torch.randn(512, 512),)), repeats=5)
    assert len(measured.node_s) == 6 and 0.8 < measured.coverage < 1.25


def test_families_are_those_of_the_models() -> None:
    assert {family: split for split, found in FAMILIES.items() for family in found} == {
        family: split for family, (split, _) in MODELS.items()
    }


def test_capture_writes_a_graph_that_solve_reads(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import torch\ndef make():\n    return torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU()), "
        "(torch.randn(256, 256),)\n"
    )
    out = tmp_path / "g.npz"
    arguments = [f"{tmp_path / 'model.py'}:make", "--train", "--nominal", "1Tflop,100GB", "--devices", "3"]
    arguments += ["--link", "1Gbit", "--memory", "16GiB", "-o", str(out), "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and json.loads(done.output)["training"] is True
    (instance,) = parse([out]).values()
    assert instance.topology.num_devices == 3 and instance.topology.memory_bytes[0] == 16 * 2**30
    assert instance.topology.beta_s_per_B[0, 1] == pytest.approx(8e-9)
    assert instance.graph.is_backward.any()


@pytest.mark.parametrize(
    ("target", "text", "error", "message"),
    [
        ("model.py", "", UsageError, "expected FILE.py:MAKE"),
        ("model.py:other", "x = 1", UsageError, "has no function 'other'"),
        ("model.py:make", "1 / 0", InvalidInstance, "does not run: ZeroDivisionError"),
        ("model.py:make", "def make():\n    return 3", InvalidInstance, r"expected \(module, inputs\)"),
    ],
)
def test_a_bad_target_is_explained(
    tmp_path: Path, target: str, text: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(error, match=message):
        maker(str(tmp_path / target))()


def test_quantities() -> None:
    assert quantity("10Gbit", {"bit": 1 / 8, "B": 1.0}) == 1.25e9
    assert quantity("16GiB", {"B": 1.0}) == 16 * 2**30
    assert np.isclose(quantity("1.5 GB/s", {"B": 1.0}), 1.5e9)
