# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from trimtab.core import registry

from .conftest import Call


def test_it_counts_and_says_what_is_missing(trimtab: Call) -> None:
    answer = trimtab("list")
    assert "Which number is hidden?" in answer.out
    assert "4 (1 trainable)" in answer.out
    assert "all but 1: pip install 'trimtab[exotic]'" in " ".join(answer.out.split())
    (row,) = trimtab("list", "--json").json
    assert row["missing"] == {"exotic": ["solver absent"]}
    assert (row["solvers"], row["learners"], row["backends"]) == (4, 1, ["simulator"])


def test_a_broken_plugin_is_listed_with_its_reason(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "toy": EntryPoint("toy", "cli.toy:PROBLEM", registry.GROUP),
        "bad": EntryPoint("bad", "no.such.module:PROBLEM", registry.GROUP),
    }
    monkeypatch.setattr(registry, "_entries", lambda: dict(sorted(entries.items())))
    answer = trimtab("list", "--json")
    assert answer.code == 0
    bad, toy = answer.json
    assert "no.such.module" in bad["error"]
    assert toy["solvers"] == 4
