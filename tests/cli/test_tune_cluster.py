# SPDX-License-Identifier: Apache-2.0
"""``trimtab tune --executor ray``: a Ray of its own on this machine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .conftest import Call

PROGRAM = """
import os, sys, time
until = time.process_time() + 0.06 - 0.005 * int(sys.argv[1])
while time.process_time() < until: pass
print("cores =", len(os.sched_getaffinity(0)), "parent =", os.getppid())
"""


def test_trials_run_in_ray_workers_each_on_a_core(trimtab: Call, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    jobs = min(2, len(os.sched_getaffinity(0)))
    (tmp_path / "my.toml").write_text("[knobs]\nx = { default = 0, range = [0, 9] }\n")
    (tmp_path / "prog.py").write_text(PROGRAM)
    metrics = ("--metric", r"cores=cores = (\d+)", "--metric", r"parent=parent = (\d+)")
    program = (sys.executable, "-I", "-S", "prog.py", "{x}")
    options = ("--space", "my.toml", "--executor", "ray", "-j", str(jobs), "--trials", "5", "--json")
    answer = trimtab("tune", *options, *metrics, "--", *program)
    assert answer.code == 0, answer.err
    assert answer.json["trials"] == 5
    journal = (tmp_path / "runs/tune/journal.jsonl").read_text().splitlines()
    shots = [shot for line in journal if '"kind":"trial"' in line for shot in json.loads(line)["shots"]]
    assert {shot["metrics"]["cores"] for shot in shots} == {1}
    assert len({shot["metrics"]["parent"] for shot in shots}) == jobs  # as many processes started programs
