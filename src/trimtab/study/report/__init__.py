# SPDX-License-Identifier: Apache-2.0
"""What a study found, for people: one HTML file (`write`), or a table in the terminal (`terminal.render`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trimtab.core.errors import UsageError

from ..files import replace_file
from ..results import Results


def write(results: Results | Sequence[Results], path: Path | str) -> Path:
    """Write one self-contained HTML file: no network use, no script. An existing file is replaced whole or not at all.

    Several results give a scorecard with a chapter for each. Needs the extra ``report``.
    """
    from .page import page

    studies = [results] if isinstance(results, Results) else list(results)
    if not studies:
        raise UsageError("report: there are no results to write")
    document, target = page(studies), Path(path)
    replace_file(target, lambda part: part.write_text(document, encoding="utf-8", newline="\n"))
    return target
