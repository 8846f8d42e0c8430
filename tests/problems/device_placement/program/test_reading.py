# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.device_placement.program.instructions import from_json, to_json

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from trimtab.problems.device_placement.program.execute import Executable  # noqa: E402
from trimtab.problems.device_placement.program.reading import Runnable, runnable  # noqa: E402
from trimtab.problems.device_placement.workload.torch_graph import build, export_module, trace_training  # noqa: E402


class Views(nn.Module):
    """Splits, transposes, an expanded value, a slice, two outputs, and a tensor made from nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 24)
        self.register_buffer("scale", torch.arange(8.0))

    def forward(self, x: Any) -> Any:
        a, b, c = self.first(x).split(8, dim=-1)
        mixed = (a.transpose(0, 1) @ b)[:4] * self.scale
        return mixed + torch.ones(8) * c.mean(0, keepdim=True).expand(4, 8), a.relu()


def of(module: Any, inputs: tuple[Any, ...], train: bool = False) -> Runnable:
    return runnable((trace_training if train else export_module)(module, inputs), "made")


def test_a_program_computes_what_its_module_does_and_survives_json() -> None:
    torch.manual_seed(0)
    module, x = Views(), torch.randn(8, 8)
    made = of(module, (x,))
    program = from_json(json.loads(json.dumps(to_json(made.program))))
    assert program == made.program
    executable = Executable(program)
    got = executable.run(executable.leaves(made.state, (x,)))
    for one, other in zip(got, module(x), strict=True):
        torch.testing.assert_close(one, other)


def test_ops_and_tensors_are_those_of_the_graph() -> None:
    traced = export_module(Views(), (torch.randn(8, 8),))
    graph, program = build(traced, "made", lambda node: 1.0), runnable(traced, "made").program
    assert tuple(program.nodes[op].name for op in program.ops) == graph.op_name
    shapes = [program.nodes[ref.node].outputs[ref.output] for ref in program.tensors]
    assert [shape.bytes for shape in shapes if shape is not None] == graph.tensor_bytes.tolist()
    assert [program.ops.index(program.base(ref).node) for ref in program.tensors] == graph.tensor_op.tolist()


def test_a_training_step_renews_parameters_as_sgd_does() -> None:
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(7, 6)
    made = of(module, (x,), train=True)
    executable = Executable(made.program)
    state = {name: value.clone() for name, value in made.state.items()}
    (loss,) = executable.run(executable.leaves(state, (x,)))
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    expected = (module(x) ** 2).mean()
    expected.backward()
    optimiser.step()
    torch.testing.assert_close(loss, expected.detach())
    for name, value in module.named_parameters():
        torch.testing.assert_close(state[name], value.detach())


class InPlace(nn.Module):
    def forward(self, x: Any) -> Any:
        y = x * 2
        z = y + 1
        y.add_(1)
        return y * z


def test_what_is_written_in_place_is_named() -> None:
    with pytest.raises(InvalidInstance, match=r"op 'add_.*writes to a value in place"):
        of(InPlace(), (torch.randn(3),))


def test_wrong_inputs_and_wrong_files() -> None:
    made = of(nn.Linear(4, 2), (torch.randn(3, 4),))
    executable = Executable(made.program)
    with pytest.raises(InvalidInstance, match=r"it was traced with \(3, 4\)"):
        executable.leaves(made.state, (torch.randn(2, 4),))
    with pytest.raises(InvalidInstance, match="'weight' is missing"):
        executable.leaves({}, (torch.randn(3, 4),))
    for nonsense in ({}, {"format": "other"}, {**to_json(made.program), "nodes": [1]}):
        with pytest.raises(InvalidInstance):
            from_json(nonsense)
    data = to_json(made.program)
    data["nodes"][-1][2] = "os.system.default"
    with pytest.raises(InvalidInstance, match=r"no operator 'os\.system\.default'"):
        Executable(from_json(data))
