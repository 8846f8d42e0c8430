# SPDX-License-Identifier: Apache-2.0
"""Fills Markdown with what its commands and programs really print, so that no printed output can rot.

* In a ``console`` fence, every line that begins with ``$`` is run, and what it prints is put below it.
  ``$ command  # exit 2`` is a command that must fail so; its message is shown.
* ``python`` fences are one program, from top to bottom; an ``output`` fence takes what the fence above it printed.
  They run where the page has an ``output`` fence.

A command that fails, or a program that raises, fails the build. The outputs of a page are kept under
``build/docs`` until the page's fences or trimtab's source change.

``python docs/hooks/console.py README.md`` fills a file in place; with ``--check`` it says whether the shape of
what is printed (all but the digits) has changed.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "trimtab"
KEPT = ROOT / "build" / "docs"

FENCE = re.compile(r"^```(?P<kind>console|python|output)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")
BETWEEN = "\x1f"  # ends what one python fence printed


class Failed(Exception):
    """A command or a program of a page did not end as the page says."""


def fill(markdown: str, name: str) -> str:
    """The page with its outputs. `name` is its folder under ``build/docs``, where its commands run."""
    outputs = iter(_kept_outputs(markdown, KEPT / name))

    def replace(fence: re.Match[str]) -> str:
        if fence["kind"] == "python":
            return fence[0]
        # Plain fences: a highlighter has nothing to say about a transcript.
        kind = "text" if fence["kind"] == "output" else fence["kind"]
        return f"```{kind}\n{next(outputs)}\n```"

    return FENCE.sub(replace, markdown)


def _kept_outputs(markdown: str, folder: Path) -> list[str]:
    fences = [(fence["kind"], _commands_only(fence)) for fence in FENCE.finditer(markdown)]
    key = hashlib.sha256(json.dumps([source_digest(), fences]).encode()).hexdigest()
    kept = folder / "outputs.json"
    if kept.is_file() and (found := json.loads(kept.read_text()))["key"] == key:
        return list(found["outputs"])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "work").mkdir(parents=True)
    outputs = list(_run(fences, folder / "work"))
    kept.write_text(json.dumps({"key": key, "outputs": outputs}))
    return outputs


def _commands_only(fence: re.Match[str]) -> str:
    """A fence without what was printed there before."""
    if fence["kind"] == "console":
        return "\n".join(line for line in fence["body"].splitlines() if line.startswith("$ "))
    return fence["body"] if fence["kind"] == "python" else ""


def _run(fences: list[tuple[str, str]], work: Path) -> Iterator[str]:
    printed: Iterator[str] = iter(())
    if any(kind == "output" for kind, _ in fences):
        printed = iter(_run_program([body for kind, body in fences if kind == "python"], work))
    last = ""
    for kind, body in fences:
        if kind == "python":
            last = next(printed, "")
        elif kind == "output":
            yield last
        else:
            yield "\n\n".join(_run_command(line[2:], work) for line in body.splitlines())


def _run_program(blocks: list[str], work: Path) -> list[str]:
    program = work / "program.py"
    program.write_text("".join(f"{block}\nprint({BETWEEN!r}, end='')\n" for block in blocks))
    done = subprocess.run(
        [sys.executable, program], cwd=work, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Failed(f"{program} ended with {done.returncode}:\n{done.stderr}")
    return [_tidy(text) for text in done.stdout.split(BETWEEN)]


def _run_command(line: str, work: Path) -> str:
    command = EXIT.sub("", line)
    expected = int(match[1]) if (match := EXIT.search(line)) else 0
    environment = _environment()
    words = shlex.split(command)
    words[0] = shutil.which(words[0], path=environment["PATH"]) or words[0]
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        raise Failed(f"`{command}` ended with {done.returncode}, not {expected}:\n{done.stdout}\n{done.stderr}")
    return f"$ {line}\n{_tidy(done.stdout if expected == 0 else done.stdout + done.stderr)}".rstrip()


def _environment() -> dict[str, str]:
    """A newcomer's: trimtab on the PATH, no public data, a terminal of 96 columns without colour."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**kept, "PATH": path, "COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb"}


def _tidy(printed: str) -> str:
    return "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())


@functools.cache
def source_digest() -> str:
    """One hash over trimtab's source, data and weights."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def shape(markdown: str) -> str:
    """All but digits, units of time and spacing, in which two honest runs may differ."""
    numbers = re.sub(r"\d[\d.,]*( (µs|ms|s|min)\b)?", "0", markdown)
    return re.sub(r"[\s─━═-]+", " ", numbers)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 when the shape has changed")
    chosen = options.parse_args()
    before = chosen.file.read_text()
    after = fill(before, chosen.file.stem)
    if not chosen.check:
        chosen.file.write_text(after)
    elif shape(before) != shape(after):
        print(f"{chosen.file} no longer prints what it says.  python docs/hooks/console.py {chosen.file}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
