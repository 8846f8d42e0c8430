# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.block_throughput.baselines.process import Refused, ToolError, in_halves, run


@given(st.lists(st.integers(0, 99), max_size=60), st.sets(st.integers(0, 99)))
def test_only_the_bad_items_are_refused_and_the_order_stays(items: list[int], bad: set[int]) -> None:
    def ask(batch: Sequence[int]) -> list[int]:
        wrong = [item for item in batch if item in bad]
        if wrong:
            raise ToolError(f"not {wrong[0]}")
        return [10 * item for item in batch]

    expected = [Refused(f"not {item}") if item in bad else 10 * item for item in items]
    assert in_halves(items, ask) == expected


def test_a_program_is_given_text_and_its_complaint_is_told() -> None:
    echo = [sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read()[::-1])"]
    assert run(echo, "abc") == "cba"
    fails = [sys.executable, "-c", "import sys; print('warning\\nerror: bad line', file=sys.stderr); sys.exit(1)"]
    with pytest.raises(ToolError, match=r"^error: bad line$"):
        run(fails, "")
    with pytest.raises(ToolError, match="can't be started"):
        run(["/nowhere/tool"], "")
    with pytest.raises(ToolError, match="no answer in"):
        run([sys.executable, "-c", "while True: pass"], "", timeout_s=0.2)
