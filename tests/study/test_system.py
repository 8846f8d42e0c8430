# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import platform
from datetime import datetime

import numpy as np
import pytest

from trimtab.study import system


def test_the_environment_block() -> None:
    block = system.describe()
    assert json.loads(json.dumps(block)) == block
    assert 1 <= block["cores"] <= (os.cpu_count() or 1)
    assert block["memory"] > 2**28
    assert block["cpu"]
    assert block["python"] == platform.python_version()
    assert block["packages"]["numpy"] == np.__version__
    assert datetime.fromisoformat(block["started"]).tzinfo is not None


def test_the_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/trimtab", "run", "x", "--instances", "a b*"])
    assert system.describe()["command"] == "trimtab run x --instances 'a b*'"
