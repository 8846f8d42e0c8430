# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("iced_x86")
pytest.importorskip("numba")

from trimtab.core.errors import InvalidInstance
from trimtab.problems.block_throughput.system import fingerprint
from trimtab.problems.block_throughput.workload.inputs import parse
from trimtab.problems.block_throughput.workload.labelled import Labelled, write_labelled

ADD, IMUL, JNE = "4801d8", "480fafc3", "75f0"
needs_llvm = pytest.mark.skipif(shutil.which("llvm-mc-19") is None, reason="llvm-mc-19 is not here (Debian: llvm-19)")


def written(folder: Path, content: str | bytes, name: str = "mine") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_list_of_blocks_says_its_cpu_and_its_notion(tmp_path: Path) -> None:
    path = written(tmp_path, f"# cpu: AuthenticAMD-25-17\n# notion: L\n{ADD}\n\n0x{IMUL},17\n")
    (one,) = parse([path]).values()
    assert [block.hex() for block in one.blocks] == [ADD, IMUL]
    assert (one.cpu, one.notion) == ("AuthenticAMD-25-17", "L")
    (here,) = parse([written(tmp_path, ADD)]).values()
    assert (here.cpu, here.notion) == (fingerprint(), "U")


def test_two_files_of_one_name_are_two_instances(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [written(tmp_path, ADD), written(tmp_path / "other", IMUL)]
    assert [one.blocks[0].hex() for one in parse(paths).values()] == [ADD, IMUL]


@needs_llvm
@pytest.mark.parametrize(
    "text",
    [
        "addq %rbx, %rax\n# a comment\nimulq %rbx, %rax\n",
        "add rax, rbx\nimul rax, rbx\n",
        "# LLVM-MCA-BEGIN\n\taddq\t%rbx, %rax\n\timulq\t%rbx, %rax\n# LLVM-MCA-END\n",
    ],
)
def test_assembly_text_of_either_syntax(tmp_path: Path, text: str) -> None:
    (one,) = parse([written(tmp_path, text)]).values()
    assert [block.hex() for block in one.blocks] == [ADD + IMUL]


@needs_llvm
def test_functions_of_an_object_file(tmp_path: Path) -> None:
    text = ".globl f,g\n.type f,@function\n.type g,@function\nf: addq %rbx,%rax\nret\ng: imulq %rbx,%rax\njne g\nret\n"
    target = tmp_path / "two.o"
    made = ["llvm-mc-19", "--triple=x86_64-linux", "--filetype=obj", "-o", str(target)]
    subprocess.run(made, input=text, text=True, check=True)
    functions = parse([target])
    assert set(functions) == {"two.o:f", "two.o:g"}
    assert [block.hex() for block in functions["two.o:f"].blocks] == [ADD]
    assert [block.hex() for block in functions["two.o:g"].blocks] == [IMUL]


def test_a_set_of_labels_is_an_instance_without_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    labels = Labelled((bytes.fromhex(ADD),), np.array([1.0]), ("git",), np.array([4.0]), cpu="AuthenticAMD-26-2")
    write_labelled(path, labels)
    (one,) = parse([path]).values()
    assert one.blocks == labels.blocks and one.cpu == labels.cpu and one.frequency.tolist() == [4.0]


@needs_llvm
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        (bytes(range(256)), "neither an ELF binary"),
        (f"{ADD}\n{ADD}06\n", r"block 2 .*byte 3 is no x86-64 instruction"),
        ("488b", "block 1 .*no x86-64 instruction"),  # half an instruction
        ("60", "32-bit code is not read"),  # pusha
        (f"{JNE}{ADD}", "has in its middle a branch"),
        (f"{ADD}{JNE}", "ends in a branch"),
        ("frobnicate %rax", "invalid instruction mnemonic"),
        ("call elsewhere", "only a linker knows"),
        (b"\x7fELF\x01\x01" + bytes(60), "32-bit ELF"),
        (b"\x7fELF", "cut short"),
    ],
    ids=str,
)
def test_bad_input_says_what_and_where(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(InvalidInstance, match=words) as caught:
        parse([written(tmp_path, content)])
    assert "mine" in str(caught.value)


@needs_llvm
def test_assembly_text_reads_no_other_file(tmp_path: Path) -> None:
    secret = written(tmp_path, "a secret", "secret")
    with pytest.raises(InvalidInstance):
        parse([written(tmp_path, f'.incbin "{secret}"\n')])
