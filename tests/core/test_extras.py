# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from trimtab.core.errors import MissingExtra, MissingTool
from trimtab.core.extras import lazy, need, need_tool, tool_version


def test_need_names_the_extra() -> None:
    with pytest.raises(MissingExtra, match=r"the solver 'x' needs no_such_module\.  pip install 'trimtab\[learn\]'"):
        need("no_such_module.part", extra="learn", purpose="the solver 'x'")
    assert need("fractions", extra="learn").Fraction(1, 2) == 0.5


def test_a_package_that_is_here_and_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import its_own_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match=r"needs half_installed \(No module named 'its_own_dependency'\)"):
        need("half_installed", extra="learn")


def test_need_tool_names_the_debian_package_and_the_version() -> None:
    with pytest.raises(MissingTool, match="apt-get install no-such-package"):
        need_tool("no-such-tool", debian="no-such-package")
    with pytest.raises(MissingTool, match=r">= 999"):
        need_tool("bash", debian="bash", minimum="999")
    assert need_tool("bash", debian="bash", minimum="3").name == "bash"


def test_a_version_wherever_it_is_printed(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 'openjdk 17.0.15 2025-04-15' >&2\n")
    tool.chmod(0o755)
    assert tool_version(tool) == "17.0.15"
    assert tool_version(tmp_path / "nowhere") == ""


def test_lazy_imports_on_call_only() -> None:
    make = lazy("no.such.module:Thing")
    with pytest.raises(ModuleNotFoundError):
        make()
    assert lazy("fractions:Fraction", numerator=3)() == 3
    assert lazy("fractions:Fraction", numerator=3)(denominator=6) == 0.5


def test_lazy_says_which_extra_is_missing() -> None:
    make = lazy("no_such_module:Thing", extra="learn")
    assert make.extra == "learn"
    with pytest.raises(MissingExtra, match=r"Thing needs no_such_module\.  pip install 'trimtab\[learn\]'"):
        make()


def test_lazy_can_be_sent_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(lazy("fractions:Fraction", numerator=3)))() == 3
