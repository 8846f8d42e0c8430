# SPDX-License-Identifier: Apache-2.0
"""OR-tools' CP-SAT, as a part of a program that can be interrupted."""

from __future__ import annotations

from typing import Any

from trimtab.core.extras import need


def new_solver(*, workers: int = 1, **parameters: Any) -> Any:
    """A ``CpSolver`` with some of its parameters set. With one worker it gives the same answer every time.

    By default CP-SAT catches SIGINT while it solves, and leaves the signal's default
    action behind: from then on Ctrl-C would end the process at once, with nothing kept.
    """
    solver = need("ortools.sat.python.cp_model", extra="exact", purpose="an exact optimum").CpSolver()
    for name, value in {"num_workers": workers, "catch_sigint_signal": False, **parameters}.items():
        setattr(solver.parameters, name, value)
    return solver
