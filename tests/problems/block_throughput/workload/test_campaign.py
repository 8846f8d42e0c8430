# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.extras import need
from trimtab.problems.block_throughput.system import Admitted, fingerprint
from trimtab.problems.block_throughput.system.wire import BAD_ADDRESS, OK, Hello, Reading
from trimtab.problems.block_throughput.workload import campaign as module
from trimtab.problems.block_throughput.workload.campaign import Campaign, capture, check_machine, gather

CHAIN, IMUL, SYSTEM, SEGMENT = "4801c0", "480fafc0", "4801c00f05", "64488b042528000000"


class MadeUp:
    """A pool that answers from the code itself, and can stop after some readings, as Ctrl-C does."""

    hello = Hello("tsc-calibrated", True, True, 2, 2, 26, 65534, 0.6, 2000.0)

    def __init__(self, cpus: Sequence[int] = (), settings: object = None) -> None:
        self.read = 0

    stop_after = math.inf
    scale = 1.0

    def batches(
        self, blocks: Sequence[Admitted], proceed: Callable[[], bool] = lambda: True
    ) -> Iterable[tuple[int, list[Reading]]]:
        for index, block in enumerate(blocks):
            if self.read >= MadeUp.stop_after:
                raise KeyboardInterrupt
            self.read += 1
            known = {kernel.code: kernel.cycles for kernel in module.known_answers()}
            cycles = known.get(block.code, float(len(block.code))) * MadeUp.scale
            status = BAD_ADDRESS if block.code[:1] == b"\x8b" else OK
            yield index, [Reading(0, status, 0, 1, 4, 4, 200, cycles if status == OK else math.nan, 0.6, 0)]

    def __enter__(self) -> MadeUp:
        return self

    def __exit__(self, *problem: object) -> None:
        return


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> type[MadeUp]:
    monkeypatch.setattr(module, "Pool", MadeUp)
    monkeypatch.setattr(MadeUp, "stop_after", math.inf)
    monkeypatch.setattr(MadeUp, "scale", 1.0)
    return MadeUp


def listed(tmp_path: Path, *codes: str, name: str = "mine.hex") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(codes))
    return path


def test_what_may_not_run_is_counted_by_reason(tmp_path: Path):
    supply = gather(Campaign(lists=(listed(tmp_path, CHAIN, IMUL, CHAIN, SYSTEM, SEGMENT),)), lambda: True)
    assert sorted(block.code.hex() for block in supply.blocks) == [CHAIN, IMUL]
    assert dict(supply.refused) == {"system instruction": 1, "segment override": 1}
    assert supply.application == ["mine.hex", "mine.hex"]


def test_only_refused_blocks_are_an_error(tmp_path: Path):
    with pytest.raises(UsageError, match="none of the blocks may be measured: 1 x system instruction"):
        gather(Campaign(lists=(listed(tmp_path, SYSTEM),)), lambda: True)


def test_so_many_of_each_binary_by_the_seed(tmp_path: Path):
    binary = Path(need("numpy._core._multiarray_umath", extra="fast").__file__ or "")
    listing = listed(tmp_path, *(f"4883c0{n:02x}" for n in range(50)))
    time_left = iter([True, True])  # for two pieces of code
    supply = gather(Campaign(binaries=(binary,), lists=(listing,), most=8), lambda: next(time_left, False))
    assert supply.application.count("mine.hex") == 50
    assert supply.application.count(binary.name) + sum(supply.refused.values()) == 8
    assert not supply.complete


def test_the_order_is_the_seeds(tmp_path: Path):
    listing = listed(tmp_path, *(f"4883c0{n:02x}" for n in range(50)))
    one, same, other = (gather(Campaign(lists=(listing,), seed=seed), lambda: True).blocks for seed in (0, 0, 1))
    assert one == same != other
    assert sorted(block.code for block in one) == sorted(block.code for block in other)


def test_labels_and_their_card(tmp_path: Path, made_up: type[MadeUp]):
    source = listed(tmp_path, CHAIN, IMUL, SYSTEM, "8b00", "4883c007")
    captured = capture(Campaign(lists=(source,), minutes=0.2, train=False), tmp_path / "partial", quiet=True)
    found = dict(zip((block.hex() for block in captured.blocks), captured.cycles, strict=True))
    assert found == {CHAIN: 1.0, IMUL: 3.0, "4883c007": 4.0}
    assert captured.cpu == fingerprint()
    card = captured.card
    assert (card["blocks"], card["measured"], card["accepted"]) == (5, 4, 3)
    assert card["refused"] == {"system instruction": 1}
    assert list(card["failed"].values()) == [1]
    assert card["clock"] == "tsc-calibrated"
    assert len(card["sources"]["mine.hex"]) == 64
    assert card["spread"]["median"] == 0


def test_an_interrupted_capture_goes_on_where_it_stopped(tmp_path: Path, made_up: type[MadeUp], monkeypatch):
    monkeypatch.setattr(module, "check_machine", lambda pool: {})
    codes = [f"4883c0{n:02x}" for n in range(20)]
    campaign = Campaign(lists=(listed(tmp_path, *codes),), minutes=0.2, train=False)
    made_up.stop_after = 33
    with pytest.raises(KeyboardInterrupt):
        capture(campaign, tmp_path / "partial", quiet=True)
    made_up.stop_after = 20 * 3 - 33  # just what is missing of three passes
    captured = capture(campaign, tmp_path / "partial", quiet=True)
    assert len(captured.blocks) == 20
    made_up.stop_after = 0  # all is there already
    again = capture(campaign, tmp_path / "partial", quiet=True)
    assert again.blocks == captured.blocks


def test_when_the_time_is_up_what_is_complete_is_kept(tmp_path: Path, made_up: type[MadeUp], monkeypatch):
    monkeypatch.setattr(module, "check_machine", lambda pool: {})
    clock = iter(np.arange(0, 1e6, 1.0))  # each look at the clock is a second later
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("trimtab.problems.block_throughput.system.passes.CHUNK", 4)
    codes = [f"4883c0{n:02x}" for n in range(40)]
    campaign = Campaign(lists=(listed(tmp_path, *codes),), minutes=0.5, train=False)
    captured = capture(campaign, tmp_path / "partial", quiet=True)
    assert 4 <= len(captured.blocks) < 40
    assert captured.card["measured"] < captured.card["blocks"] == 40


def test_a_machine_that_gets_the_known_answers_wrong_is_not_measured(made_up: type[MadeUp], tmp_path: Path):
    made_up.scale = 1.07
    with pytest.raises(TrimtabError, match=r"add rax, rax: a chain' takes 1\.07 cycles"):
        capture(Campaign(lists=(listed(tmp_path, CHAIN),), train=False), tmp_path / "partial", quiet=True)
    made_up.scale = 1.01
    assert check_machine(MadeUp())["imul rax, rax: a chain"] == pytest.approx(3.03)  # type: ignore[arg-type]
