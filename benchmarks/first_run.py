# SPDX-License-Identifier: Apache-2.0
"""A newcomer's first comparison: seconds from `trimtab run` to table and report, in an environment that has only
the wheel with its extras `fast` and `report`, an empty home (nothing compiled yet), no data and no network."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fresh import build_wheel, clean_environment, install, without_network

MAX_SECONDS = 60.0  # wall


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="only `trimtab run cluster_scheduling --quick`")
    options.add_argument("--at-most", type=float, default=MAX_SECONDS, help="seconds, where the machine is shared")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="trimtab-first-run-") as folder:
        scratch = Path(folder)
        trimtab = install(build_wheel(scratch), scratch / "venv", extras="fast,report").with_name("trimtab")
        # The full run comes first: it has to compile the simulator.
        jobs = {"quick": ["--quick"]} if chosen.quick else {"full": [], "quick": ["--quick"]}
        seconds = [first_run(trimtab, scratch / name, options) for name, options in jobs.items()]
    return 0 if max(seconds) <= chosen.at_most else 1


def first_run(trimtab: Path, place: Path, options: list[str]) -> float:
    """Run the main job from an empty folder and say what came of it; the seconds it took, infinite where it failed."""
    home, work = place / "home", place / "work"
    home.mkdir(parents=True)
    work.mkdir()
    prefix, variables = without_network(place)
    command = [*prefix, str(trimtab), "run", "cluster_scheduling", "--json", "--out", "run", *options]
    started, used = time.perf_counter(), cpu_seconds()
    done = subprocess.run(command, cwd=work, env=clean_environment(variables, home=home), stdout=subprocess.PIPE)
    seconds, used = time.perf_counter() - started, cpu_seconds() - used
    what = " ".join(["trimtab run cluster_scheduling", *options])
    print(f"{what:40s} {seconds:6.1f} s   target <= {MAX_SECONDS:.0f} s   (CPU {used:.1f} s; {blocked_by(prefix)})")
    wrong = complaints(done, work)
    for line in wrong:
        print(f"  FAILED: {line}")
    return float("inf") if wrong else seconds


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def blocked_by(prefix: list[str]) -> str:
    return f"network blocked by {' '.join(prefix) or 'sitecustomize'}"


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
