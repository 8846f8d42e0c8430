# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("iced_x86")

from trimtab.core.errors import InvalidInstance
from trimtab.problems.block_throughput.system import fingerprint
from trimtab.problems.block_throughput.workload.parse import parse

ADD, IMUL, JNE = "4801d8", "480fafc3", "75f0"
needs_llvm = pytest.mark.skipif(shutil.which("llvm-mc-19") is None, reason="llvm-mc-19 is not here (Debian: llvm-19)")


def written(folder: Path, content: str | bytes, name: str = "mine") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def codes(path: Path, function: str = "") -> list[str]:
    (one,) = parse([path], function).values()
    return [block.hex() for block in one.blocks]


def test_a_list_of_blocks(tmp_path: Path) -> None:
    path = written(tmp_path, f"# cpu AuthenticAMD-25-17\n{ADD}\n\n0x{IMUL},17\n{ADD}{JNE}\n")
    (one,) = parse([path]).values()
    assert [block.hex() for block in one.blocks] == [ADD, IMUL, ADD]  # a branch at the end is no part of a block
    assert one.cpu == "AuthenticAMD-25-17"
    assert next(iter(parse([written(tmp_path, ADD)]).values())).cpu == fingerprint()


def test_two_files_of_one_name_are_two_instances(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [written(tmp_path, ADD), written(tmp_path / "other", IMUL)]
    assert [one.blocks[0].hex() for one in parse(paths).values()] == [ADD, IMUL]


@needs_llvm
@pytest.mark.parametrize(
    "text",
    [
        "f:\n\taddq %rbx, %rax\n\timulq %rbx, %rax\n\tjne f\n\taddq %rbx, %rax\n\tret\n",
        ".intel_syntax noprefix\nf: add rax, rbx\nimul rax, rbx\njne f\nadd rax, rbx\nret\n",
        "# LLVM-MCA-BEGIN\nf:addq %rbx, %rax\nimulq %rbx, %rax\njne f\n# LLVM-MCA-END\naddq %rbx, %rax\n",
    ],
)
def test_assembly_text(tmp_path: Path, text: str) -> None:
    assert codes(written(tmp_path, text)) == [ADD + IMUL, ADD]


@needs_llvm
def test_one_function_of_an_object_file(tmp_path: Path) -> None:
    text = ".globl f,g\n.type f,@function\n.type g,@function\nf: addq %rbx,%rax\nret\ng: imulq %rbx,%rax\njne g\nret\n"
    target = tmp_path / "two.o"
    made = ["llvm-mc-19", "--triple=x86_64-linux", "--filetype=obj", "-o", str(target)]
    subprocess.run(made, input=text, text=True, check=True)
    assert codes(target, "f") == [ADD] and codes(target, "g") == [IMUL]
    assert sorted(codes(target)) == sorted([ADD, IMUL])
    with pytest.raises(InvalidInstance, match="no function named 'h'"):
        parse([target], "h")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (bytes(range(256)), "neither an ELF file nor text"),
        (f"{ADD}\n{ADD}06\n", "block 2: the bytes 06 at 3 are no x86-64 instruction"),
        ("488b", "block 1: the bytes 488b at 0 are no x86-64"),  # half an instruction
        ("60", "no x86-64 instruction"),  # pusha: 32-bit code only
        (f"{JNE}{ADD}", "in the middle, at byte 0"),
        ("c3", "nothing but a branch"),
        ("90" * 1001, "at most 1000"),
        ("frobnicate %rax", "invalid instruction mnemonic"),
        ('.incbin "/etc/passwd"', "not allowed"),
        ("# only a comment\n\t.text\n", "no blocks"),
        (b"\x7fELF\x01\x01" + bytes(60), "32-bit ELF"),
        (b"\x7fELF", "cut short"),
    ],
    ids=str,
)
@needs_llvm
def test_bad_input_says_what_and_where(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(InvalidInstance, match=words) as caught:
        parse([written(tmp_path, content)])
    assert "mine" in str(caught.value)


def test_only_programs_have_functions(tmp_path: Path) -> None:
    with pytest.raises(InvalidInstance, match="no function named 'f'"):
        parse([written(tmp_path, ADD)], "f")
    with pytest.raises(InvalidInstance, match="not a file"):
        parse([tmp_path])
