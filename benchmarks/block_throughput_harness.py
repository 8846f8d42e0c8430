# SPDX-License-Identifier: Apache-2.0
"""Can the harness be believed, and how fast is it?

Known answers: micro-kernels whose throughput AMD documents, within 2 %. Repetition:
the blocks of a binary are labelled twice, each time from nothing; labels that were
accepted both times are compared. Speed: passes over blocks per second.

With --capture, the whole way: compiling the harness, finding blocks, measuring, and
training a model, by the command line, with an empty cache; its labels are then
compared with those of a second capture.

    python benchmarks/block_throughput_harness.py [--quick] [--binary PROGRAM] [--capture]
    python benchmarks/block_throughput_harness.py --labels FIRST.npz SECOND.npz
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.problems.block_throughput.learned import load
from trimtab.problems.block_throughput.system import Admitted, Passes, Pool, Record, admit, fingerprint, measure_labels
from trimtab.problems.block_throughput.system.known import TOLERANCE, answers, is_right, known_answers
from trimtab.problems.block_throughput.workload import labelled
from trimtab.problems.block_throughput.workload.elf import read_elf
from trimtab.problems.block_throughput.workload.extract import distinct
from trimtab.problems.block_throughput.workload.labelled import read_labelled

MEDIAN, P95 = 0.01, 0.05  # of the relative difference of two labels of one block
LABELS, SECONDS = 50_000, 300.0
SHIPPED = Path(labelled.__file__).parent / "data"


def known(pool: Pool) -> bool:
    kernels = known_answers()
    measured = answers(pool, kernels)
    print(f"known answers, cycles per repetition (target: within {TOLERANCE:.0%})")
    for kernel in kernels:
        value = measured[kernel.name]
        verdict = "" if is_right(kernel, value) else "  MISSED"
        print(f"  {kernel.name:44} {value:7.3f}  known {kernel.cycles:6.3f}  {value / kernel.cycles - 1:+.1%}{verdict}")
    return all(is_right(kernel, measured[kernel.name]) for kernel in kernels)


def sample(binary: Path, count: int) -> list[Admitted]:
    found = distinct(read_elf(binary).code())
    chosen = random.Random(0).sample(found, min(count, len(found)))
    return [answer for answer in (admit(block.code) for block in chosen) if isinstance(answer, Admitted)]


def labels(pool: Pool, blocks: Sequence[Admitted]) -> tuple[np.ndarray[Any, Any], int, float]:
    """Cycles (NaN: no label), readings, and wall seconds."""
    records = [Record() for _ in blocks]
    readings = 0

    def heard(index: int, reading: object) -> None:
        nonlocal readings
        readings += 1

    started = time.perf_counter()
    measure_labels(pool, blocks, records, Passes(), heard=heard)
    return np.array([record.label().cycles for record in records]), readings, time.perf_counter() - started


def compare(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], what: str) -> bool:
    both = np.isfinite(first) & np.isfinite(second)
    difference = np.abs(first - second)[both] / np.minimum(first, second)[both]
    median, p95 = (float(np.quantile(difference, q)) for q in (0.5, 0.95))
    print(
        f"{what}: {both.sum()} blocks labelled twice; the labels differ by {median:.2%} (median; target {MEDIAN:.0%})"
        f" and {p95:.2%} (p95; target {P95:.0%})"
    )
    return median <= MEDIAN and p95 <= P95


def repetition(pool: Pool, binary: Path, count: int) -> bool:
    blocks = sample(binary, count)
    first, readings, seconds = labels(pool, blocks)
    second, *_ = labels(pool, blocks)
    cores = len(pool.harnesses)
    print(
        f"{binary.name}: {len(blocks)} blocks, {np.isfinite(first).mean():.1%} get a label, {readings / seconds:.0f} "
        f"passes/s and {np.isfinite(first).sum() / seconds:.0f} labels/s on {cores} core{'s' * (cores > 1)}"
    )
    return compare(first, second, binary.name)


def compare_files(first: Path, second: Path) -> bool:
    one, two = read_labelled(first), read_labelled(second)
    again = dict(zip(two.blocks, two.cycles, strict=True))
    other = np.array([again.get(block, math.nan) for block in one.blocks])
    return compare(np.asarray(one.cycles), other, f"{first.name} and {second.name}")


def capture(binary: Path, folder: Path, name: str, *options: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds and what it says, of the command line with an empty cache."""
    cache = folder / f"cache-{name}"
    arguments = [
        "capture",
        "block_throughput",
        "--binaries",
        str(binary),
        "--json",
        "-o",
        str(folder / f"{name}.safetensors"),
    ]
    command = [sys.executable, "-m", "trimtab.cli.main", *arguments, *options]
    started = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "TRIMTAB_CACHE": str(cache)}, check=True, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - started, json.loads(done.stdout)


def elsewhere(model: Path, labels: Path) -> None:
    """The new model on the shipped blocks of other programs, where labels of this CPU are shipped."""
    shipped = next((one for one in map(read_labelled, sorted(SHIPPED.glob("*.npz"))) if one.cpu == fingerprint()), None)
    if shipped is None:
        print("no labels of this CPU are shipped, so the model is not tried on other programs")
        return
    seen = set(read_labelled(labels).blocks)
    rows = [at for at, block in enumerate(shipped.blocks) if block not in seen]
    truth = shipped.cycles[rows]
    prediction = load(model).predict([shipped.blocks[at] for at in rows])
    error = np.abs(prediction.cycles / truth - 1)
    assert prediction.low is not None
    assert prediction.high is not None
    covered = np.mean((prediction.low <= truth) & (truth <= prediction.high))
    print(
        f"the model on {len(rows)} shipped blocks of other programs, none of them trained on: MAPE {error.mean():.1%}, "
        f"median {np.median(error):.1%}, within 10 %: {np.mean(error < 0.1):.0%}, intervals cover {covered:.0%}"
    )


def whole_way(binary: Path) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seconds, card = capture(binary, folder, "first", "--minutes", f"{SECONDS / 60:g}")
        print(
            f"from nothing: {card['accepted']} labels (target {LABELS}) and a model after {seconds:.0f} s "
            f"(target {SECONDS:.0f}), {binary}"
        )
        enough = card["accepted"] >= LABELS and seconds <= SECONDS and Path(card["model"]).is_file()
        elsewhere(folder / "first.safetensors", folder / "first.npz")
        capture(binary, folder, "second", "--minutes", "2", "--no-train", "--seed", "1")
        return compare_files(folder / "first.npz", folder / "second.npz") and enough


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("/usr/bin/git"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--capture", action="store_true", help="the whole way too; takes about seven minutes")
    parser.add_argument("--labels", type=Path, nargs=2, metavar=("FIRST", "SECOND"), help="compare two captures, only")
    arguments = parser.parse_args()
    if arguments.labels:
        return 0 if compare_files(*arguments.labels) else 1
    binary = arguments.binary if arguments.binary.is_file() else Path(sys.executable).resolve()
    with Pool() as pool:
        right = known(pool)
        right &= repetition(pool, binary, 1000 if arguments.quick else 8000)
    if arguments.capture:
        right &= whole_way(binary)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
