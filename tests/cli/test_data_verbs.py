# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from trimtab.data import Dataset, File, catalogue

from .conftest import Call

CONTENTS = b"a,b\n1,2\n"


@pytest.fixture(autouse=True)
def one_dataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = File("t.csv", len(CONTENTS), hashlib.sha256(CONTENTS).hexdigest(), "text/csv", "A table.")
    dataset = Dataset(
        name="tiny", version="1", description="A table.", licence="CC0-1.0", licence_url="https://spdx.org",
        origin="https://example.org", provenance="By hand.", citation="None.", creators=("Nobody",),
        published="2024-01-01", files=(file,),
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "_catalogue", lambda: {"tiny": dataset})
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)


def test_from_a_file_to_a_croissant(trimtab: Call, tmp_path: Path) -> None:
    assert trimtab("data", "list", "--json").json[0]["here"] == 0
    assert trimtab("data", "verify", "tiny").code == 3
    (tmp_path / "renamed").write_bytes(CONTENTS)
    assert trimtab("data", "import", "renamed").code == 0
    assert trimtab("data", "list", "--json").json[0]["get"] == ""
    assert "1/1" in trimtab("data", "list").out
    assert trimtab("data", "verify", "--json").json[0]["status"] == "ok"
    assert trimtab("data", "export", "tiny", "out").code == 0
    assert json.loads((tmp_path / "out" / "croissant.json").read_text())["name"] == "tiny"
    assert trimtab("data", "fetch", "tiny").out.strip().endswith("t.csv")


def test_a_wrong_file_is_exit_1(trimtab: Call, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(CONTENTS)
    trimtab("data", "import", "t.csv")
    next((tmp_path / "cache").rglob("t.csv")).write_bytes(b"a,b\n1,3\n")
    answer = trimtab("data", "verify")
    assert answer.code == 1
    assert "wrong" in answer.out


def test_what_nobody_publishes_says_how_else(trimtab: Call) -> None:
    answer = trimtab("data", "fetch", "tiny")
    assert answer.code == 3
    assert "trimtab data import" in answer.err


def test_unknown(trimtab: Call) -> None:
    assert "Did you mean 'tiny'?" in trimtab("data", "fetch", "tinny").err
