# SPDX-License-Identifier: Apache-2.0
"""CPU seconds that it takes to start: `trimtab --help`, `trimtab list`, and `import trimtab` above bare Python.

    python benchmarks/startup.py [--quick]

The figure is the least of several, user and system time of the child (getrusage),
after a first run that fills the bytecode cache.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TRIMTAB = str(Path(sys.executable).with_name("trimtab"))
PYTHON = (sys.executable, "-c")


def cpu_s(command: Sequence[str], repeats: int) -> float:
    """The least CPU time of a command's process."""
    return min(_cpu_s(command) for _ in range(repeats + 1))


def _cpu_s(command: Sequence[str]) -> float:
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 7")
    repeats = 3 if parser.parse_args().quick else 7
    bare = cpu_s((*PYTHON, "pass"), repeats)
    figures = {
        "trimtab --help": (cpu_s((TRIMTAB, "--help"), repeats), 0.15),
        "trimtab list": (cpu_s((TRIMTAB, "list"), repeats), 0.25),
        "import trimtab, above bare Python": (cpu_s((*PYTHON, "import trimtab"), repeats) - bare, 0.10),
    }
    for what, (figure, target) in figures.items():
        print(f"{what:36} {figure:.3f} cpu-s   target <= {target:.2f}   {'ok' if figure <= target else 'MISSED'}")
    print(f"{'bare Python':36} {bare:.3f} cpu-s")
    return int(any(figure > target for figure, target in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
