# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.problems.runtime_tuning.system.measure import measure
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.workload import parse

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "runtime_tuning").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_tuned(path: Path, tmp_path: Path):
    """As it stands, but for where its input lies."""
    numbers = tmp_path / "numbers"
    numbers.write_text("".join(f"{k * 7919 % 5003}\n" for k in range(5003)))
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/tmp/numbers", str(numbers)))
    (target,) = parse([copy]).values()
    assert target.command is not None
    with Runner() as runner:
        reading = measure(target.command, target.space.default, runner)
    assert reading.status == "ok", reading
    assert target.objective.broken(reading.metrics) == ()
