# SPDX-License-Identifier: Apache-2.0
"""What a study found, for people: one HTML file (`write`), or a table in the terminal (`terminal.render`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trimtab.core.errors import UsageError

from ..results import Results


def write(results: Results | Sequence[Results], path: Path | str) -> Path:
    """Write one self-contained HTML file: no network use, no script. An existing file is replaced whole or not at all.

    Several results give a scorecard with a chapter for each. Needs the extra ``report``.
    """
    from .page import page

    studies = [results] if isinstance(results, Results) else list(results)
    if not studies:
        raise UsageError("report: there are no results to write")
    target = Path(path)
    document = page(studies)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as draft:
        try:
            draft.write(document)
            draft.flush()
            os.chmod(draft.name, 0o644)
            os.replace(draft.name, target)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    return target
