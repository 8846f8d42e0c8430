# SPDX-License-Identifier: Apache-2.0
"""The public words: there, lazily, and no more than about twenty."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import trimtab


def test_every_word_can_be_had() -> None:
    for word in trimtab.__all__:
        assert getattr(trimtab, word) is not None
    assert set(trimtab.__all__) <= set(dir(trimtab))
    assert len(trimtab.__all__) <= 25


def test_the_type_checker_sees_the_same_words() -> None:
    tree = ast.parse(Path(trimtab.__file__).read_text())
    [guarded] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname: node.module for node in guarded.body for alias in node.names}  # type: ignore[attr-defined]
    assert set(seen) == set(trimtab.__all__)
    for word, home in trimtab._HOME.items():
        assert seen[word] == (home or "study.study")


def test_a_word_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'trimtab' has no attribute 'studdy'"):
        _ = trimtab.studdy


def test_study_is_a_room_and_a_verb_whatever_was_imported_before() -> None:
    program = (
        "import trimtab; assert callable(trimtab.study); "
        "from trimtab.study.study import study; assert callable(trimtab.study) and callable(study); "
        "from trimtab import study as verb; assert verb is trimtab.study"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_trimtab_imports_nothing_else() -> None:
    program = "import sys; a = set(sys.modules); import trimtab; print(*sorted({m for m in sys.modules} - a))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not set(printed.split()) & {"numpy", "scipy", "gymnasium", "msgspec", "torch", "numba", "rich", "click"}
