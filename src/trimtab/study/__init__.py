# SPDX-License-Identifier: Apache-2.0
"""Studies: run instances x solvers x seeds, keep every cell, compare honestly.

A room and a verb: ``trimtab.study(...)`` runs a study (`trimtab.study.study.study`).
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .results import Results


class _Verb(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Results:
        from .study import study

        return study(*arguments, **options)


sys.modules[__name__].__class__ = _Verb
