# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np

from trimtab.core.task import Budget, Task
from trimtab.problems.block_throughput.backend import Labels
from trimtab.problems.block_throughput.learned import shipped
from trimtab.problems.block_throughput.listing import render
from trimtab.problems.block_throughput.problem import BlockSet, Prediction

CPU = "AuthenticAMD-25-17"


def test_every_instruction_has_a_line_and_every_block_a_head() -> None:
    instance = BlockSet((bytes.fromhex("480fafc14883c301"), bytes.fromhex("90")), CPU)
    decision = shipped().solve(Task(instance, Labels(), Budget(0), 0))
    rendering = render(instance, decision, Labels(), 0)
    assert [row["instruction"] for row in rendering.table] == ["imul rax,rcx", "add rbx,1", "nop"]
    assert [row["block"] for row in rendering.table] == ["0", "", "1"]
    assert rendering.table[0]["bottleneck"] == "dependencies"
    assert "imul rax,rcx" in str(rendering.files["listing.txt"])
    assert [one["hex"] for one in json.loads(rendering.files["blocks.json"])] == ["480fafc14883c301", "90"]


def test_other_solvers_decisions_are_listed_without_reasons() -> None:
    instance = BlockSet((bytes.fromhex("4801c8"), bytes.fromhex("4801c9")), CPU)
    rendering = render(instance, Prediction(np.array([1.0, np.nan])), Labels(), 0)
    assert rendering.table[0]["cycles"] == 1.0 and rendering.table[0]["bottleneck"] == ""
    assert rendering.table[1]["cycles"] == "?"
