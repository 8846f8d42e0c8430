# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging

import pytest

from trimtab.cli import progress as module
from trimtab.cli.progress import Progress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_silent_at_first_then_a_line_every_few_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("run toy") as progress:
        for second in range(13):
            clock.now = 100.0 + second
            progress(second, 20, "half")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "run toy  2/20  0:02 so far  about 0:18 left  half",
        "run toy  7/20  0:07 so far  about 0:13 left  half",
        "run toy  12/20  0:12 so far  about 0:08 left  half",
    ]


def test_what_was_there_already_is_no_measure_of_speed(clock: Clock) -> None:
    progress = Progress("run toy")
    progress(90, 100)
    clock.now += 10
    progress(95, 100)
    assert progress.line() == "run toy  95/100  0:10 so far  about 0:10 left"


def test_bytes(clock: Clock) -> None:
    progress = Progress("fetch", unit="B")
    progress(1500, 2_000_000)
    assert progress.line() == "fetch  2 kB/2.0 MB  0:00 so far"


def test_what_a_learner_logs_is_shown(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("trimtab").level
    with Progress("train mean"):
        clock.now += 3661
        logging.getLogger("trimtab.toy").info("loss %.2f", 0.5)
    assert capsys.readouterr().err == "train mean  1:01:01 so far  loss 0.50\n"
    assert logging.getLogger("trimtab").level == level
