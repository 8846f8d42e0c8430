# SPDX-License-Identifier: Apache-2.0
"""The example plugin, installed from its folder, is served by every verb."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "trimtab-plugin-makespan"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`run("list")`: the command line in a new process that finds the plugin, in a folder of its own."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("here")
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([sys.executable, "-m", *install, str(EXAMPLE)], check=True)
    (here / "times.txt").write_text("2\n3 3 2 2 2\n")

    def call(*arguments: str, module: str = "trimtab.cli.main") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "100"}
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)

    return call


def answer(run: Run, *arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_list_and_show(run: Run) -> None:
    assert "Which machine runs" in run("list").stdout
    assert any(row["name"] == "makespan" and row["solvers"] == 2 for row in answer(run, "list"))
    assert "lpt" in run("show", "makespan").stdout
    assert answer(run, "show", "makespan")["reference"] == "fcfs"


def test_run_and_report(run: Run) -> None:
    found = answer(run, "run", "makespan", "--seeds", "1", "-j", "2")
    rows = {row["solver"]: row for row in found["comparisons"][0]["rows"]}
    assert rows["lpt"]["verdict"] == "better"
    assert rows["lpt"]["ratio"] <= 4 / 3 - 1 / 18  # Graham's bound on the optimum bounds it here too
    assert "lpt wins" in run("run", "makespan", "--seeds", "1", "-j", "2").stdout
    assert answer(run, "report", "runs", "-o", "page.html")["report"] == "page.html"


def test_solve(run: Run) -> None:
    found = answer(run, "solve", "makespan", "times.txt", "--solver", "lpt", "--out", "made")
    (item,) = found["instances"]
    assert item["solvers"][0]["metrics"]["makespan"] == 7  # by hand: 3+2+2 and 3+2
    assert item["files"] == ["made/plan.csv"]
    bad = run("solve", "makespan", "made/plan.csv")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "number of machines" in bad.stderr


def test_what_it_lacks_is_said(run: Run) -> None:
    for arguments in (["train", "makespan", "-o", "p"], ["capture", "makespan"]):
        done = run(*arguments)
        assert done.returncode == 2
        assert "makespan" in done.stderr


def test_its_own_test_passes(run: Run) -> None:
    done = run("-q", "-p", "no:cacheprovider", "-c", os.devnull, str(EXAMPLE / "tests"), module="pytest")
    assert done.returncode == 0, done.stdout
