# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.cli.main import cli
from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.problems.device_placement.workload import parse
from trimtab.problems.device_placement.workload.suites import SHIPPED

pytest.importorskip("torch")

FILE = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(4)]), (torch.randn(512, 64),)

def wrong(size=3):
    return nn.Linear(size, size)

def needs(argument):
    return argument

def _hidden():
    return None
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(FILE)
    return path


def test_a_file_is_listed_without_running_it(model: Path) -> None:
    found = parse([model])
    assert list(found) == [f"{model}:make", f"{model}:wrong"]
    assert not model.with_suffix(".ran").exists()


def test_a_module_is_planned_and_the_plan_written_under_its_name(model: Path) -> None:
    out = model.parent / "plan.json"
    done = CliRunner().invoke(
        cli,
        ["solve", "device_placement", f"{model}:make", "--train", "--devices", "2", "--link", "1Gbit", "--memory",
         "16GiB", "--solver", "contiguous", "--repeats", "2", "-o", str(out)],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    plan = json.loads(out.read_text())
    assert plan["training"]
    assert len(plan["devices"]) == 2
    assert plan["split_modules"] is None or all(name[0] in "0123" for name in plan["split_modules"])
    assert out.with_suffix(".svg").read_text().startswith("<?xml")


def test_what_a_function_must_return(model: Path) -> None:
    with pytest.raises(InvalidInstance, match=r"model\.py:wrong: expected \(module, inputs\)"):
        parse([model], **{"train": False, "copies": 1.0, "nominal": None, "repeats": 1})[f"{model}:wrong"]


def test_files_that_are_no_modules(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (")
    with pytest.raises(InvalidInstance, match="not a Python file"):
        parse([broken])
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n")
    with pytest.raises(InvalidInstance, match="no function without arguments"):
        parse([empty])
    with pytest.raises(UsageError, match="one Python file at a time"):
        parse([model, empty])


def test_options_of_a_module_are_not_for_graph_files() -> None:
    with pytest.raises(UsageError, match="--devices is for modules"):
        parse([SHIPPED / "unet-inference.npz"], devices=3)
