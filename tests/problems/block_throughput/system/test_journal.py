# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.core.errors import UsageError
from trimtab.problems.block_throughput.system.journal import Journal, key_of
from trimtab.problems.block_throughput.system.wire import Reading

HEADER = {"cpu": {"family": "26"}, "notion": "U"}


def reading(n: int) -> Reading:
    return Reading(n, 0, 0, n, 4, 5, 200, 1.5 * n, 0.6, 7)


def test_readings_come_back(tmp_path: Path):
    path = tmp_path / "a" / "j"
    keys = [key_of(bytes([n])) for n in range(4)]
    with Journal(path, HEADER) as journal:
        for n, key in enumerate(keys):
            journal.add(key, reading(n))
        journal.add(keys[0], reading(9))
    with Journal(path, HEADER) as again:
        assert again.readings[keys[0]] == [reading(0), reading(9)]
        assert [again.readings[key] for key in keys[1:]] == [[reading(n)] for n in (1, 2, 3)]


@pytest.mark.parametrize("cut", [1, 7, 20, 40])
def test_what_was_cut_off_is_dropped_and_the_rest_goes_on(tmp_path: Path, cut: int):
    path = tmp_path / "j"
    with Journal(path, HEADER) as journal:
        journal.add(key_of(b"a"), reading(1))
        journal.add(key_of(b"b"), reading(2))
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, HEADER) as journal:
        assert list(journal.readings) == [key_of(b"a")]
        journal.add(key_of(b"c"), reading(3))
    with Journal(path, HEADER) as journal:
        assert journal.readings == {key_of(b"a"): [reading(1)], key_of(b"c"): [reading(3)]}


def test_a_killed_writer_loses_at_most_what_it_had_not_flushed(tmp_path: Path):
    path = tmp_path / "j"
    journal = Journal(path, HEADER)
    journal.add(key_of(b"a"), reading(1))
    journal.flush()
    journal.add(key_of(b"b"), reading(2))
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())  # what a crash would leave
    journal.close()
    with Journal(copy, HEADER) as after:
        assert after.readings == {key_of(b"a"): [reading(1)]}


def test_other_circumstances_are_refused(tmp_path: Path):
    path = tmp_path / "j"
    with Journal(path, HEADER):
        pass
    with pytest.raises(UsageError, match="another CPU or with other options"):
        Journal(path, {**HEADER, "notion": "L"})


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path):
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(UsageError, match="not a journal"):
        Journal(path, HEADER)
    assert path.read_text() == "years of work"


def test_two_writers_are_one_too_many(tmp_path: Path):
    with Journal(tmp_path / "j", HEADER), pytest.raises(UsageError, match="in use"):
        Journal(tmp_path / "j", HEADER)
