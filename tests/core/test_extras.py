# SPDX-License-Identifier: Apache-2.0
import pytest

from trimtab.core.errors import MissingExtra, MissingTool
from trimtab.core.extras import lazy, need, need_tool


def test_need_names_the_extra() -> None:
    with pytest.raises(MissingExtra, match=r"needs no_such_module.*pip install 'trimtab\[learn\]'"):
        need("no_such_module", extra="learn")


def test_need_tool_names_the_debian_package_and_the_version() -> None:
    with pytest.raises(MissingTool, match="apt-get install no-such-package"):
        need_tool("no-such-tool", debian="no-such-package")
    with pytest.raises(MissingTool, match=r">= 999"):
        need_tool("bash", debian="bash", minimum="999")
    assert need_tool("bash", debian="bash", minimum="3").name == "bash"


def test_lazy_imports_on_call_only() -> None:
    make = lazy("no.such.module:Thing")
    with pytest.raises(ModuleNotFoundError):
        make()
    assert lazy("fractions:Fraction", numerator=3)() == 3
