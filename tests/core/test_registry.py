# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from trimtab.core import registry
from trimtab.core.errors import TrimtabError, UnknownName, UsageError

Register = Callable[..., None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Register]:
    """Make entry points the only ones; modules are written to a folder on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def replace(*pairs: tuple[str, str], **sources: str) -> None:
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source)
        found = [EntryPoint(name, value, registry.GROUP) for name, value in pairs]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        registry._entries.cache_clear()

    yield replace
    registry._entries.cache_clear()
    for name in ("reg_good", "reg_bad", "reg_user"):
        sys.modules.pop(name, None)


def test_the_built_ins_are_registered_like_plugins() -> None:
    registry._entries.cache_clear()
    assert "cluster_scheduling" in registry.names()


def test_names_import_nothing(register: Register) -> None:
    register(("b", "reg_good:P"), ("a", "no.such:P"), reg_good="raise RuntimeError")
    assert registry.names() == ["a", "b"]
    assert "reg_good" not in sys.modules


def test_the_same_entry_twice_is_one_but_two_are_a_clash(register: Register) -> None:
    register(("a", "m:P"), ("a", "m:P"))
    assert registry.names() == ["a"]
    register(("a", "m:P"), ("a", "n:P"))
    with pytest.raises(TrimtabError, match="two packages register the problem 'a': m:P and n:P"):
        registry.names()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("P = 3", "is a int, not a Problem"),
        ("import no_such_thing", "can't be imported: No module named 'no_such_thing'"),
        ("", "no attribute 'P'"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_broken_plugin_is_said_to_be(register: Register, source: str, complaint: str) -> None:
    register(("bad", "reg_bad:P"), reg_bad=source)
    with pytest.raises(TrimtabError, match=complaint) as caught:
        registry.load("bad")
    assert "reg_bad:P" in str(caught.value)


def test_a_plugin_s_own_complaint_is_passed_on(register: Register) -> None:
    register(("user", "reg_user:P"), reg_user="from trimtab.core.errors import UsageError\nraise UsageError('mine')")
    with pytest.raises(UsageError, match=r"^mine$"):
        registry.load("user")


def test_unknown(register: Register) -> None:
    register(("makespan", "m:P"))
    with pytest.raises(UnknownName, match="Did you mean 'makespan'"):
        registry.load("makspan")
