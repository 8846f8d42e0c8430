# SPDX-License-Identifier: Apache-2.0
"""A newcomer's first comparison: seconds from `trimtab run` to table and report, in an environment that has only
the wheel with its extras `fast` and `report`, an empty home (nothing compiled yet), no data and no network."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fresh import build_wheel, clean_environment, install, without_network

MAX_SECONDS = 60.0


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="only `trimtab run cluster_scheduling --quick`")
    quick = options.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="trimtab-first-run-") as folder:
        scratch = Path(folder)
        trimtab = install(build_wheel(scratch), scratch / "venv", extras="fast,report").with_name("trimtab")
        ok = quick or first_run(trimtab, scratch / "full", [])  # first: it has to compile the simulator
        ok &= first_run(trimtab, scratch / "quick", ["--quick"])
    return 0 if ok else 1


def first_run(trimtab: Path, place: Path, options: list[str]) -> bool:
    """Run the main job from an empty folder; say how long it took and what came of it."""
    home, work = place / "home", place / "work"
    home.mkdir(parents=True)
    work.mkdir()
    prefix, variables = without_network(place)
    command = [*prefix, str(trimtab), "run", "cluster_scheduling", "--json", "--out", "run", *options]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=work, env=clean_environment(variables, home=home), stdout=subprocess.PIPE)
    seconds = time.perf_counter() - started
    what = " ".join(["trimtab run cluster_scheduling", *options])
    blocker = " ".join(prefix) or "sitecustomize"
    print(f"{what:40s} {seconds:6.1f} s   target <= {MAX_SECONDS:.0f} s   (network blocked by {blocker})")
    wrong = complaints(done, work)
    for line in wrong:
        print(f"  FAILED: {line}")
    return not wrong and seconds <= MAX_SECONDS


def complaints(done: subprocess.CompletedProcess[bytes], work: Path) -> list[str]:
    if done.returncode != 0:
        return [f"exit code {done.returncode}"]
    wrong = []
    report = work / "run" / "report.html"
    if not report.is_file() or report.stat().st_size < 10_000:
        wrong.append(f"{report} is not a report")
    told = json.loads(done.stdout)
    if not told["comparisons"] or not all(len(comparison["rows"]) > 1 for comparison in told["comparisons"]):
        wrong.append("a table has no rows")
    return wrong + [f"{cell['solver']} on {cell['instance']}: {cell['note']}" for cell in told["failures"]]


if __name__ == "__main__":
    sys.exit(main())
