# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from trimtab.kit.cp_sat import new_solver


def test_parameters_are_set() -> None:
    parameters = new_solver(max_time_in_seconds=3.0, random_seed=5).parameters
    assert (parameters.num_workers, parameters.max_time_in_seconds, parameters.random_seed) == (1, 3.0, 5)
    with pytest.raises(AttributeError):
        new_solver(no_such_parameter=1)


def test_ctrl_c_is_python_s_after_a_solve() -> None:
    script = """
import os, signal
from ortools.sat.python import cp_model
from trimtab.kit.cp_sat import new_solver
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the one who started us ignores
model = cp_model.CpModel()
x = model.new_int_var(0, 9, "x")
model.maximize(x)
solver = new_solver()
assert solver.solve(model) == cp_model.OPTIMAL and solver.value(x) == 9
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "interrupted\n", done.stderr
