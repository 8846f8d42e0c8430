# SPDX-License-Identifier: Apache-2.0
"""The suite `transformers`, and what makes it; the library itself is not needed to use it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from trimtab.core.errors import MissingExtra, UnknownName
from trimtab.core.problem import Split
from trimtab.problems.device_placement import PROBLEM
from trimtab.problems.device_placement.workload import hugging_face, suites
from trimtab.problems.device_placement.workload.files import load
from trimtab.problems.device_placement.workload.profiling import Nominal
from trimtab.problems.device_placement.workload.torch_graph import build, export_module

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def test_every_family_is_shipped_with_inference_and_training_and_a_card_that_says_how() -> None:
    for split in SPLITS:
        for family in suites.TRANSFORMERS[split]:
            for kind in ("inference", "training"):
                graph, _, card = load(suites.SHIPPED_TRANSFORMERS / f"{family}-{kind}.npz")
                assert graph.family == family
                assert bool(graph.is_backward.any()) is (kind == "training")
                assert card["transformers"].split(".")[0].isdigit()
                assert 0.8 <= card["coverage"] <= 1.25
                assert graph.compute_s.sum() == pytest.approx(card["coverage"] * card["whole_s"], rel=0.1)
    assert {f for families in suites.TRANSFORMERS.values() for f in families} == set(hugging_face.MODELS)


def test_no_family_is_in_two_splits_of_both_suites_together() -> None:
    split_of: dict[str, str] = {}
    for families in (suites.FAMILIES, suites.TRANSFORMERS):
        for split in SPLITS:
            for family in families[split]:
                assert split_of.setdefault(family, split) == split
    sizes = {split: len(PROBLEM.suites["transformers"](split)) for split in SPLITS}
    assert sizes == {"train": 12, "validation": 12, "test": 30}


def test_a_model_is_a_function_of_tensors_that_exports() -> None:
    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(8, 8)

        def forward(
            self, mask: torch.Tensor, values: torch.Tensor, return_dict: bool = True
        ) -> tuple[torch.Tensor, torch.Tensor]:
            assert not return_dict
            return torch.relu(self.linear(values)) * mask, values

    module = hugging_face.FirstOutput(Named(), ("values", "mask"))
    traced = export_module(module, (torch.randn(2, 8), torch.ones(2, 8)))
    graph = build(traced, "named", Nominal(1e9, 1e9).seconds)
    assert [kind.split(".")[1] for kind in graph.op_type] == ["linear", "relu", "mul"]


def test_a_model_on_the_meta_device_takes_no_memory() -> None:
    """A layer of 40 GB."""
    with torch.device("meta"):
        module, inputs = torch.nn.Linear(100_000, 100_000), (torch.zeros(1, 100_000),)
    graph = build(export_module(module, inputs), "large", Nominal(1e12, 1e12, 0.0).seconds)
    assert graph.param_bytes.sum() == 4 * (100_000**2 + 100_000)
    assert graph.compute_s.sum() == pytest.approx(0.04, rel=1e-4)  # it reads every weight once
    assert np.isfinite(graph.compute_s).all()


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="no family of transformers named 'gpt9'"):
        hugging_face.make("gpt9")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"trimtab\[transformers\]"):
        hugging_face.make("gpt2")
