# SPDX-License-Identifier: Apache-2.0
"""Everything trimtab raises on purpose.

TrimtabError                  one message for a person: what, where, what to do
├── UsageError                the request makes no sense (exit 2)
│   ├── UnknownName           no such problem, solver, backend or data set
│   └── InvalidInstance       bad input: names the object and the field
├── Unavailable               something optional is not here (exit 3)
│   ├── MissingExtra          a Python package; names the extra
│   ├── MissingTool           a program; names the Debian package
│   └── MissingData           a data set; names the command that brings it
├── DataError                 a download or a file is not what its card says
├── Leakage                   a solver was trained on an instance that it is tested on
└── BudgetSpent               a solver asked for one evaluation too many
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TrimtabError(Exception):
    """Base class. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(TrimtabError):
    exit_code = 2


class UnknownName(UsageError):
    """`kind` and `name` as asked for; lists what there is, and the nearest spelling."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"no {kind} named {name!r}.{hint} Known: {', '.join(self.known) or 'none'}.")


class InvalidInstance(UsageError):
    pass


class Unavailable(TrimtabError):
    exit_code = 3


class MissingExtra(Unavailable):
    pass


class MissingTool(Unavailable):
    pass


class MissingData(Unavailable):
    pass


class DataError(TrimtabError):
    pass


class Leakage(TrimtabError):
    exit_code = 2


class BudgetSpent(TrimtabError):
    pass
