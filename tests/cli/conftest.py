# SPDX-License-Identifier: Apache-2.0
"""The command line, called in this process, with `toy` as the only problem."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli import main, readiness
from trimtab.cli.options import DEBUG
from trimtab.core import registry


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture
def only_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("toy", "cli.toy:PROBLEM", registry.GROUP)
    monkeypatch.setattr(registry, "_entries", lambda: {"toy": entry})
    absent = {"exotic": (readiness.Requirement("no-such-package", "1"),)}
    known = readiness.extras()
    monkeypatch.setattr(readiness, "extras", lambda: {**known, **absent})


@pytest.fixture
def trimtab(
    only_toy: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Call:
    """`trimtab("run", "toy")` -> exit code, standard output, standard error; runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv(DEBUG, raising=False)

    def call(*arguments: str) -> Answer:
        code = main.run(arguments)
        return Answer(code, *capsys.readouterr())

    return call
