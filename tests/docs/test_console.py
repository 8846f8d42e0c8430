# SPDX-License-Identifier: Apache-2.0
"""Printed output in the documentation is really printed: `docs/hooks/console.py` fills it in, or fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("console", DOCS / "hooks" / "console.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "KEPT", tmp_path)
    monkeypatch.setattr(module, "source_digest", lambda: "the source")
    return module


def test_commands_are_run_and_old_output_goes(console: ModuleType) -> None:
    page = "Before.\n\n```console\n$ python -c 'print(6 * 7)'\n41, and a lie\n```\n\nAfter.\n"
    assert console.fill(page, "page") == "Before.\n\n```console\n$ python -c 'print(6 * 7)'\n42\n```\n\nAfter.\n"


def test_filling_again_changes_nothing(console: ModuleType) -> None:
    page = "```console\n$ python -c 'print(1)'\n$ python -c 'print(2)'\n```\n"
    once = console.fill(page, "page")
    assert once == console.fill(once, "page") == console.fill(once, "other")


def test_outputs_follow_the_program_above_them(console: ModuleType) -> None:
    page = "```python\nx = 2\nprint(x)\n```\n```python\ny = x + 1\n```\n```python\nprint(y)\n```\n\n```output\n```\n"
    assert console.fill(page, "page").endswith("```text\n3\n```\n")


def test_a_page_shares_its_folder(console: ModuleType) -> None:
    page = """```console
$ python -c "open('note', 'w').write('kept')"
$ python -c "print(open('note').read())"
```
"""
    assert "kept\n```" in console.fill(page, "page")


def test_a_command_that_fails_fails_the_page(console: ModuleType) -> None:
    with pytest.raises(console.Failed, match="ended with 3, not 0"):
        console.fill("```console\n$ python -c 'raise SystemExit(3)'\n```\n", "page")
    with pytest.raises(console.Failed, match="ended with 0, not 2"):
        console.fill("```console\n$ python -c 'pass'  # exit 2\n```\n", "page")
    with pytest.raises(console.Failed, match="ZeroDivisionError"):
        console.fill("```python\n1 / 0\n```\n```output\n```\n", "page")


def test_an_expected_failure_shows_its_message(console: ModuleType) -> None:
    page = console.fill("```console\n$ python -c 'import sys; sys.exit(\"so not\")'  # exit 1\n```\n", "page")
    assert "# exit 1\nso not\n" in page


def test_outputs_are_kept_until_source_or_page_change(console: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "```console\n$ python -c 'import time; print(time.time_ns())'\n```\n"
    first = console.fill(page, "page")
    assert console.fill(page, "page") == first
    assert console.fill(page.replace("print", "print  "), "page") != first
    again = console.fill(page, "page")
    assert again != first
    monkeypatch.setattr(console, "source_digest", lambda: "changed")
    assert console.fill(page, "page") != again


def test_the_shape_is_all_but_digits(console: ModuleType) -> None:
    assert console.shape("better  0.81 [0.7, 0.9]\n") == console.shape("better 0.79 [0.71, 0.88]\n")
    assert console.shape("better  81 µs") == console.shape("better 1.2 ms")
    assert console.shape("better 0.81") != console.shape("worse 0.81")


@pytest.mark.parametrize("page", ["contract", "how-to/solver", "how-to/dataset"])
def test_the_programs_of_the_pages_run(console: ModuleType, page: str) -> None:
    """The worked examples, without the rest of the site."""
    markdown = (DOCS / f"{page}.md").read_text()
    assert "```output\n```" in markdown
    filled = console.fill(markdown, "page")
    assert "```text\n\n```" not in filled, "an example prints nothing"


def test_hooks_use_the_interpreter_that_builds_the_site(console: ModuleType) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert version in console.fill("```console\n$ python -V\n```\n", "page")
