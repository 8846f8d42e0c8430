# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.core.extras import tool_version
from trimtab.problems.runtime_tuning.packs import PACKS

from .conftest import Call


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab.cli.doctor._torch_threads", lambda: None)


def test_missing_things_come_with_their_command(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab.cli.doctor.shutil.which", lambda name: None)
    answer = trimtab("doctor")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert any("no-such-package" in line and "pip install 'trimtab[exotic]'" in line for line in lines)
    assert any("java" in line and "apt-get install openjdk-17-jre-headless" in line for line in lines)
    assert any("pack redis" in line and "apt-get install redis-server" in line for line in lines)


def test_every_tool_that_a_pack_asks_is_listed(trimtab: Call) -> None:
    listed = {row["tool"]: row for row in trimtab("doctor", "--json").json["tools"]}
    assert {program for _, program in PACKS.values() if program} <= set(listed)
    for row in listed.values():
        assert bool(row["version"]) != bool(row["mend"]), row
        assert not row["version"] or "." in row["version"] or row["tool"] == "cc", row


def test_a_version_is_no_width_of_words(tmp_path: Path) -> None:
    program = tmp_path / "zstd"
    program.write_text("#!/bin/sh\necho '*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***'\n")
    program.chmod(0o755)
    assert tool_version(program) == "1.5.4"


def test_json_has_every_extra(trimtab: Call) -> None:
    report = trimtab("doctor", "--json").json
    packages = {row["package"]: row for row in report["extras"]}
    assert packages["numba"]["extra"] == "fast"
    assert packages["pytest"]["version"] and not packages["pytest"]["mend"]
    assert packages["no-such-package"] == {
        "extra": "exotic", "package": "no-such-package", "wanted": ">= 1", "version": "",
        "mend": "pip install 'trimtab[exotic]'",
    }  # fmt: skip


def test_places_that_are_wrong(trimtab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("TRIMTAB_DATA", f"{tmp_path}:{tmp_path / 'nowhere'}")
    mend = {row["path"]: row["mend"] for row in trimtab("doctor", "--json").json["places"]}
    assert "TRIMTAB_CACHE" in mend[str(tmp_path / "file" / "below")]
    assert mend[str(tmp_path)] == ""
    assert mend[str(tmp_path / "nowhere")] == "there is no such folder"
