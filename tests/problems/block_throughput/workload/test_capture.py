# SPDX-License-Identifier: Apache-2.0
"""The command, on the real harness; the machine may be busy, so little is asked of the numbers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from trimtab.core.errors import InvalidInstance, Unavailable, UsageError
from trimtab.problems.block_throughput import learned
from trimtab.problems.block_throughput.system import Pool
from trimtab.problems.block_throughput.workload.capture import command
from trimtab.problems.block_throughput.workload.labelled import read_labelled

CODES = [f"4883c0{n:02x}" for n in range(1, 101)] + ["480fafc0", "0f05", "06"]


@pytest.fixture(scope="module", autouse=True)
def here() -> None:
    try:
        with Pool():
            return
    except Unavailable as error:
        pytest.skip(str(error))


def capture(*arguments: str | Path) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    path = tmp_path / "mine.hex"
    path.write_text("\n".join(CODES))
    return path


def test_blocks_are_labelled(tmp_path: Path, blocks: Path):
    model = tmp_path / "out" / "m.safetensors"
    result = capture("--blocks", blocks, "--minutes", "0.3", "--no-train", "-o", model, "--note", "in a test")
    assert result.exit_code == 0, result.output
    labelled = read_labelled(tmp_path / "out" / "m.npz")
    assert set(labelled.application) == {"mine.hex"}
    assert labelled.card["notes"] == ["in a test"]
    assert labelled.card["refused"] == {"system instruction": 1, "bytes that are no instruction": 1}
    assert len(labelled.blocks) > 60, result.output  # the others were measured in a noisy moment
    assert np.median(labelled.cycles) == pytest.approx(1.0, rel=0.03)  # add rax, n: a chain
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.npz"]
    assert f"{len(labelled.blocks)} labels" in result.output


def test_a_model_is_trained_in_what_is_left_of_the_time(tmp_path: Path, blocks: Path, monkeypatch: pytest.MonkeyPatch):
    asked: dict[str, Any] = {}

    class Model:
        def save(self, path: Path) -> None:
            path.write_text("weights")

    def fit_model(blocks: Any, cycles: Any, **others: Any) -> Model:
        asked.update(others, blocks=len(blocks), cycles=len(cycles))
        return Model()

    monkeypatch.setattr(learned, "fit_model", fit_model)
    monkeypatch.setattr("trimtab.problems.block_throughput.workload.capture._TRAIN_LEAST", 10)
    model = tmp_path / "m.safetensors"
    result = capture("--blocks", blocks, "--minutes", "2", "-o", model, "--json", "--seed", "7")
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)
    assert card["model"] == str(model)
    assert model.read_text() == "weights"
    assert asked["blocks"] == asked["cycles"] == card["accepted"]
    assert (asked["notion"], asked["seed"]) == ("U", 7)
    assert 30 < asked["seconds"] < 120


def test_too_few_labels_are_not_trained_on(tmp_path: Path):
    few = tmp_path / "few.hex"
    few.write_text("4801c0\n480fafc0\n")
    result = capture("--blocks", few, "--minutes", "0.2", "-o", tmp_path / "m.safetensors")
    assert result.exit_code == 0, result.output
    assert "too few to train on" in result.output
    assert not (tmp_path / "m.safetensors").exists()


def test_ctrl_c_keeps_what_is_measured_and_the_same_command_goes_on(tmp_path: Path):
    """The command line itself, interrupted as by a user, and started again."""
    many = tmp_path / "many.hex"
    many.write_text("\n".join(f"4805{n:08x}" for n in range(1, 2501)))  # add rax, n: takes some seconds
    partial = tmp_path / ".m.npz.partial"
    words = [
        "capture",
        "block_throughput",
        "--blocks",
        many,
        "--minutes",
        "1",
        "--no-train",
        "-o",
        tmp_path / "m.safetensors",
    ]
    command_line = [sys.executable, "-m", "trimtab.cli.main", *map(str, words)]
    running = subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while (
        time.monotonic() < deadline
        and running.poll() is None
        and not (partial.exists() and partial.stat().st_size > 5000)
    ):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130, said
    assert "the same command goes on from there" in " ".join(said.split())
    assert "Traceback" not in said
    kept = partial.stat().st_size
    assert not (tmp_path / "m.npz").exists()

    done = subprocess.run(command_line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert kept > 5000
    assert not partial.exists()
    assert len(read_labelled(tmp_path / "m.npz")) > 1500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "1"], "nothing to measure"),
        (["--blocks", "x", "--labels", "y.csv"], "ends in .npz"),
        (["--blocks", "x", "-o", "y.bin"], "ends in .safetensors"),
    ],
)
def test_what_makes_no_sense_is_said(arguments: list[str], words: str):
    error = capture(*arguments).exception
    assert isinstance(error, UsageError)
    assert words in str(error)


def test_what_is_no_binary_is_refused_and_nothing_is_written(tmp_path: Path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    error = capture("--binaries", script, "--minutes", "0.1", "-o", tmp_path / "m.safetensors").exception
    assert isinstance(error, InvalidInstance)
    assert "not an ELF" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["script"]
