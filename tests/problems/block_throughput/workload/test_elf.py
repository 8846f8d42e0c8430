# SPDX-License-Identifier: Apache-2.0
"""Against binutils, on programs that are compiled here; and on files that are not what they should be."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from trimtab.core.errors import InvalidInstance, MissingTool
from trimtab.core.extras import need_tool
from trimtab.problems.block_throughput.workload.elf import read_elf

SOURCE = """
int counter;
static int helper(int x) { return x * 7 + counter; }
int collatz(int n) { int steps = 0; while (n != 1) { n = n % 2 ? 3 * n + 1 : n / 2; steps++; } return steps; }
int total(const int *a, int n) { int s = 0; for (int i = 0; i < n; i++) s += helper(a[i]); return s; }
int main(void) { return collatz(27) + total(&counter, 1); }
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A program, a library, an object file, and a stripped program, of the same source."""
    folder = tmp_path_factory.mktemp("elf")
    try:
        cc = need_tool("cc", debian="gcc libc6-dev", purpose="this test")
        need_tool("objdump", debian="binutils", purpose="this test")
    except MissingTool as error:
        pytest.skip(str(error))
    source = folder / "a.c"
    source.write_text(SOURCE)
    files = {}
    for kind, flags in (
        ("program", ["-O2"]),
        ("library", ["-O2", "-shared", "-fPIC"]),
        ("object", ["-O1", "-c"]),
        ("stripped", ["-s"]),
    ):
        files[kind] = folder / kind
        subprocess.run([cc, *flags, "-o", files[kind], source], check=True)
    return files


def disassembly(path: Path, function: str) -> bytes:
    """The bytes of a function, as objdump prints them."""
    done = subprocess.run(
        ["objdump", "-d", "--no-addresses", "--wide", f"--disassemble={function}", path],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("\t")]
    return bytes.fromhex("".join(line[1] for line in lines))


@pytest.mark.parametrize("kind", ["program", "library", "object"])
@pytest.mark.parametrize("function", ["collatz", "total", "main"])
def test_a_functions_code_is_what_objdump_shows(compiled: dict[str, Path], kind: str, function: str):
    code = read_elf(compiled[kind]).function(function)
    shown = disassembly(compiled[kind], function)
    assert code.data
    assert code.data == shown[: len(code.data)]
    assert set(shown[len(code.data) :]) <= set(b"\x90\x66\x2e\x0f\x1f\x84\x00\x40\x44\x80")  # padding after it


def test_all_code_of_a_program_is_found(compiled: dict[str, Path]):
    elf = read_elf(compiled["program"])
    pieces = list(elf.code())
    main = elf.function("main")
    assert any(
        piece.address <= main.address and main.data == piece.data[main.address - piece.address :][: len(main.data)]
        for piece in pieces
    )
    done = subprocess.run(["objdump", "-h", compiled["program"]], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    sizes = [
        int(line.split()[2], 16) for at, line in enumerate(lines) if at + 1 < len(lines) and "CODE" in lines[at + 1]
    ]
    assert [len(piece.data) for piece in pieces] == sizes


def test_a_stripped_program_has_code_but_no_functions(compiled: dict[str, Path]):
    elf = read_elf(compiled["stripped"])
    assert sum(len(piece.data) for piece in elf.code()) > 100
    with pytest.raises(InvalidInstance, match="stripped"):
        elf.function("main")


def test_a_file_without_sections_still_has_segments(compiled: dict[str, Path], tmp_path: Path):
    data = bytearray(compiled["program"].read_bytes())
    struct.pack_into("<Q", data, 40, 0)  # e_shoff
    struct.pack_into("<H", data, 60, 0)  # e_shnum
    (tmp_path / "bare").write_bytes(data)
    pieces = list(read_elf(tmp_path / "bare").code())
    whole = b"".join(piece.data for piece in pieces)
    assert read_elf(compiled["program"]).function("collatz").data in whole


def test_a_misspelt_function_gets_a_hint(compiled: dict[str, Path]):
    with pytest.raises(InvalidInstance, match="Did you mean collatz"):
        read_elf(compiled["program"]).function("colatz")


def patched(path: Path, to: Path, offset: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    to.write_bytes(data)
    return to


def test_what_is_for_another_machine_is_refused(compiled: dict[str, Path], tmp_path: Path):
    program = compiled["program"]
    for offset, value, words in (
        (18, b"\xb7\0", "another machine .64-bit Arm"),
        (18, b"\xf3\0", "RISC-V"),
        (4, b"\x01", "32-bit"),
        (5, b"\x02", "another machine"),
        (0, b"MZ", "not an ELF"),
    ):
        with pytest.raises(InvalidInstance, match=words):
            read_elf(patched(program, tmp_path / "x", offset, value))


@pytest.mark.parametrize("contents", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(20)])
def test_what_is_no_program_is_refused(tmp_path: Path, contents: bytes):
    (tmp_path / "x").write_bytes(contents)
    with pytest.raises(InvalidInstance):
        read_elf(tmp_path / "x")
    with pytest.raises(InvalidInstance):
        read_elf(tmp_path / "none")
    with pytest.raises(InvalidInstance):
        read_elf(tmp_path)


def test_a_damaged_file_is_refused_in_words_or_read_but_never_crashes(compiled: dict[str, Path], tmp_path: Path):
    data = compiled["program"].read_bytes()
    rng = random.Random(0)
    sections = struct.unpack_from("<Q", data, 40)[0]
    refused = 0
    for _ in range(300):
        broken = bytearray(data[: rng.choice([len(data), rng.randrange(len(data))])])
        for _ in range(rng.randrange(1, 8)):
            at = rng.choice(
                [rng.randrange(64), min(len(broken) - 1, sections + rng.randrange(1500)), rng.randrange(len(broken))]
            )
            if at < len(broken):
                broken[at] = rng.randrange(256)
        (tmp_path / "x").write_bytes(broken)
        try:
            elf = read_elf(tmp_path / "x")
            for _ in elf.code():
                pass
            for name in list(elf.functions)[:5]:
                elf.function(name)
        except InvalidInstance:
            refused += 1
    assert refused > 30
