# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import re

import pytest

from trimtab.core import errors

CLASSES = {
    name: each for name, each in vars(errors).items() if inspect.isclass(each) and issubclass(each, errors.TrimtabError)
}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Name by name and depth by depth."""
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)(\w+) {2,}", line)
        if match:
            drawn[match[2]] = len(match[1]) // 4
    assert drawn == {name: len(each.__mro__) - len(errors.TrimtabError.__mro__) for name, each in CLASSES.items()}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UsageError", 2),
        ("InvalidInstance", 2),
        ("Leakage", 2),
        ("MissingData", 3),
        ("DataError", 1),
        ("BudgetSpent", 1),
    ],
)
def test_exit_codes(name: str, code: int) -> None:
    assert CLASSES[name].exit_code == code


def test_unknown_names_suggest_and_list() -> None:
    assert str(errors.UnknownName("solver", "deicma", ["fifo", "decima"])) == (
        "no solver named 'deicma'. Did you mean 'decima'? Known: decima, fifo."
    )
    assert str(errors.UnknownName("solver", "x", [])) == "no solver named 'x'. Known: none."
