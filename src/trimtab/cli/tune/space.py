# SPDX-License-Identifier: Apache-2.0
"""The user's own knobs (``--space my.toml``)."""

from __future__ import annotations

from pathlib import Path

from trimtab.problems.runtime_tuning.space import KnobSpace


def read_space(path: Path) -> KnobSpace:
    from trimtab.problems.runtime_tuning import spacefile

    return spacefile.read(path)
