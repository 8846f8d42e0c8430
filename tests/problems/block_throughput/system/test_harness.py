# SPDX-License-Identifier: Apache-2.0
"""The harness against numbers that AMD documents, and against blocks that mean harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import TrimtabError
from trimtab.problems.block_throughput.system.admission import XMM, YMM, Admitted, admit
from trimtab.problems.block_throughput.system.harness import BATCH, Harness, Pool, Settings
from trimtab.problems.block_throughput.system.known import answers, is_right, known_answers
from trimtab.problems.block_throughput.system.passes import Passes, Record, measure_labels
from trimtab.problems.block_throughput.system.wire import (
    BAD_ADDRESS,
    ENDED,
    LEFT,
    MANY_PAGES,
    NOISY,
    OK,
    SIGNALLED,
    SYSTEM_CALL,
    TIMEOUT,
    Reading,
)

ADD = Admitted(bytes.fromhex("4801c0"))


def block(code: str, notion: str = "U") -> Admitted:
    """A block that passes the first gate."""
    answer = admit(bytes.fromhex(code), notion)  # type: ignore[arg-type]
    assert isinstance(answer, Admitted), answer
    return answer


def raw(code: str) -> Admitted:
    """A block that the first gate would refuse; the sandbox has to hold."""
    return Admitted(bytes.fromhex(code.replace(" ", "")), state=XMM | YMM)


def cycles(pool: Pool, *blocks: Admitted) -> list[float]:
    """Labels, tried again while the machine is busy."""
    records = [Record() for _ in blocks]
    for _ in range(5):
        wanting = [index for index, record in enumerate(records) if record.label().reason]
        for index in wanting:
            records[index] = Record()
        measure_labels(pool, [blocks[index] for index in wanting], [records[index] for index in wanting], Passes(3, 6))
    return [record.label().cycles for record in records]


def test_known_answers_within_two_percent(pool: Pool):
    kernels = known_answers()
    measured = answers(pool, kernels)
    wrong = [
        f"{k.name}: {measured[k.name]:.3f}, not {k.cycles:.3f}" for k in kernels if not is_right(k, measured[k.name])
    ]
    assert not wrong


def test_the_notions_differ_as_they_must(pool: Pool):
    """A loop takes at least a cycle: its branch is taken once an iteration."""
    unrolled, looped = cycles(pool, block("4889c1"), block("4889c1", "L"))
    assert unrolled < 0.3
    assert looped >= 0.97
    chain_unrolled, chain_looped = cycles(pool, block("480fafc0"), block("480fafc0", "L"))
    assert chain_looped == pytest.approx(chain_unrolled, rel=0.03)


def test_work_adds_up(pool: Pool):
    """A chain twice as long takes twice as long."""
    one, two, eight = cycles(pool, *(block("480fafc0" * n) for n in (1, 2, 8)))
    assert two == pytest.approx(2 * one, rel=0.02)
    assert eight == pytest.approx(8 * one, rel=0.02)


def test_a_static_variable_has_one_address(harness: Harness):
    """Copies of a block stand on several pages; what they call [rip+x] does not."""
    padded = block("48ff0500010000" + "0f1f840000000000" * 7)  # inc [rip+256]; long nops
    (reading,) = harness.measure([padded])
    assert reading.status == OK
    assert reading.repeats * len(padded.code) > 4096
    assert reading.pages == 1


def test_pages_are_counted_and_distinct(harness: Harness):
    stride = block("488900" + "480500100000")  # mov [rax], rax; add rax, 4096
    (reading,) = harness.measure([stride])
    assert reading.status == OK
    assert reading.pages == 2 * reading.repeats


def test_another_clock_says_the_same(pool: Pool):
    """The protocol over perf's task clock (which every kernel has) instead of the time-stamp counter.

    The same code reads the cycle counter, where there is one.
    """
    with Pool(settings=Settings(clock="task")) as other:
        assert other.hello.clock == "task-clock"
        (by_task_clock,) = cycles(other, block("480fafc0" * 4))
    assert by_task_clock == pytest.approx(12, rel=0.05)


def test_the_cycle_counter_is_used_where_there_is_one(pool: Pool):
    assert (pool.hello.clock == "perf") == (pool.hello.perf_errno == 0)


HOSTILE = {
    "loops forever": ("ebfe", {TIMEOUT}),
    "getpid": ("b827000000 0f05", {SYSTEM_CALL}),
    "fork": ("b839000000 0f05", {SYSTEM_CALL}),
    "execve": ("b83b000000 0f05", {SYSTEM_CALL}),
    "open": ("b802000000 0f05", {SYSTEM_CALL}),
    "kill(-1, 9)": ("b83e000000 48c7c7ffffffff be09000000 0f05", {SYSTEM_CALL}),
    "munmap everything": ("b80b000000 31ff 48beffffffffffff0000 0f05", {SYSTEM_CALL}),
    "mprotect": ("b80a000000 0f05", {SYSTEM_CALL}),
    "mmap of a gigabyte": (
        "b809000000 31ff be00000040 ba03000000 41ba22801000 49c7c0ffffffff 4531c9 0f05",
        {SYSTEM_CALL},
    ),
    "mmap, executable": (
        "b809000000 31ff be00100000 ba07000000 41ba22801000 49c7c0ffffffff 4531c9 0f05",
        {SYSTEM_CALL},
    ),
    "x32 call": ("b827000040 0f05", {SYSTEM_CALL}),
    "int 0x80": ("b814000000 cd80", {SYSTEM_CALL, BAD_ADDRESS, SIGNALLED}),
    "sysenter": ("0f34", {SIGNALLED, SYSTEM_CALL, BAD_ADDRESS}),
    "exit_group(0)": ("b8e7000000 31ff 0f05", {ENDED}),
    "jumps far away": ("48b80000000000100000 ffe0", {LEFT}),
    "returns": ("c3", {LEFT}),
    "no stack": ("31e4 50", {BAD_ADDRESS}),
    "kernel's stack": ("48bc0000000000000080 50", {BAD_ADDRESS}),
    "null": ("31c0 488b00", {BAD_ADDRESS}),
    "not canonical": ("48b80000000000000080 488b00", {BAD_ADDRESS}),
    "misaligned": ("0f284001", {BAD_ADDRESS}),
    "writes its own code": ("488d05f9ffffff c600cc", {BAD_ADDRESS}),
    "writes everywhere": ("48c7c1ffffffff f348ab", {MANY_PAGES}),
    "writes backwards everywhere": ("fd 48c7c1ffffffff f348ab", {MANY_PAGES}),
    "eats memory": ("b900000001 f348ab", {MANY_PAGES}),
    "divides by zero": ("31c9 f7f1", {SIGNALLED}),
    "illegal": ("0f0b", {SIGNALLED}),
    "breakpoint": ("cc", {SIGNALLED}),
    "privileged": ("f4", {BAD_ADDRESS, SIGNALLED}),
    "trap flag": ("9c 810c2400010000 9d", {SIGNALLED}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_block_is_recorded_and_harms_nobody(harness: Harness, name: str, tmp_path: Path):
    code, expected = HOSTILE[name]
    watched = tmp_path / "mine"
    watched.write_text("untouched")
    before = time.monotonic()
    reading, after = harness.measure([raw(code), ADD])
    assert reading.status in expected, (reading.status, reading.reason)
    assert reading.reason
    assert np.isnan(reading.cycles)
    assert after.status != ENDED, "the next block must not feel it"
    assert time.monotonic() - before < 5
    assert watched.read_text() == "untouched"


def test_jumping_into_the_middle_of_a_block_only_spoils_its_own_number(harness: Harness):
    middle, after = harness.measure([raw("eb01 e8 90 eb00 " * 3), ADD])
    assert isinstance(middle, Reading)
    assert after.status != ENDED


def test_the_shared_page_is_not_believed(harness: Harness):
    """A block that scribbles over all that it finds may spoil its number, not the next."""
    scribble = raw("48bbf0ffff0f51000000 4889 03 48 83c308")
    _, after = harness.measure([scribble, ADD])
    assert after.status != ENDED
    assert after.status != OK or after.cycles == pytest.approx(1, rel=0.1)


def test_children_have_no_privileges_and_no_files(harness: Harness):
    assert harness.hello.filtered
    assert harness.hello.unprivileged
    assert harness.hello.uid != 0
    status = Path(f"/proc/{harness._process.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert fields["NoNewPrivs"].strip() == "1"
    assert set(fields["Uid"].split()) == {str(harness.hello.uid)}
    assert int(fields["CapEff"], 16) == 0


def test_no_file_is_open_in_the_harness_or_a_child(harness: Harness):
    open_files = Path(f"/proc/{harness._process.pid}/fd")
    assert {path.name for path in open_files.iterdir()} == {"0", "1", "2"}
    # read(3, ...), the one descriptor that the filter knows (a cycle counter's). What it returns plus 9, shifted to
    # the top, is part of an address: only EBADF, -9, makes one that can be mapped.
    if harness.hello.clock == "tsc-calibrated":
        (reading,) = harness.measure([raw("b800000000 bf03000000 0f05 4883c009 48c1e03c 488b0418")])
        assert reading.status in (OK, NOISY), reading.reason
        (other,) = harness.measure([raw("b800000000 bf00000000 0f05")])
        assert other.status == SYSTEM_CALL


def test_many_blocks_come_back_in_order(pool: Pool):
    chains = [block("4801c0" * (1 + n % 7)) for n in range(3 * BATCH + 5)]
    readings = pool.measure(chains)
    good = [(reading.cycles, 1 + n % 7) for n, reading in enumerate(readings) if reading.status == OK]
    assert len(good) > len(chains) / 2
    # a single pass on a busy machine may be off; the median ratio may not
    assert np.median([measured / expected for measured, expected in good]) == pytest.approx(1, rel=0.02)


def test_a_harness_that_dies_is_noticed():
    with Harness() as mortal:
        mortal._process.kill()
        with pytest.raises(TrimtabError, match="ended after 0 of 1"):
            mortal.measure([ADD])


def test_nothing_is_left_behind():
    with Harness() as running:
        pid = running._process.pid
        running.measure([ADD])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
