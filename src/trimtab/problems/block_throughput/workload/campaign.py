# SPDX-License-Identifier: Apache-2.0
"""A campaign of measuring: blocks from binaries and lists, labelled on this CPU, with a card of how."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.data.store import sha256

from ..problem import Floats, Notion
from ..system import Admitted, Label, Passes, Pool, Record, Settings, admit, measure_labels
from ..system.cpu import clock_card, describe, fingerprint
from ..system.journal import Journal, key_of
from ..system.known import ANY, answers, is_right, known_answers
from ..system.passes import OUT_OF_TIME
from ..system.wire import Hello, Reading
from .elf import read_elf
from .extract import Block, distinct
from .hexfile import read_hex
from .labelled import Labelled

_EXTRACT_SHARE: Final = 0.2  # of the time, at most
_MEASURE_SHARE: Final = 0.5  # when a model is trained afterwards


@dataclass(frozen=True)
class Campaign:
    """What to measure, how, and for how long."""

    binaries: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    minutes: float = 5.0
    notion: Notion = "U"
    passes: int = 3
    cores: int = 0  # 0: all that this process may use
    most: int = 0  # blocks of each binary; 0: as many as the time allows
    seed: int = 0
    train: bool = True

    def cpus(self) -> tuple[int, ...]:
        allowed = sorted(os.sched_getaffinity(0))
        return tuple(allowed[: self.cores or len(allowed)])


@dataclass
class Supply:
    """Blocks to be measured, in the order in which they are: shuffled, so that any part is a fair sample."""

    blocks: list[Block] = field(default_factory=list)
    application: list[str] = field(default_factory=list)
    admitted: list[Admitted] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    complete: bool = True


def capture(campaign: Campaign, partial: Path, *, quiet: bool = False) -> Labelled:
    """Extract, measure, and label; `partial` keeps the readings until the caller has written the labels."""
    started = time.monotonic()
    seconds = campaign.minutes * 60
    deadline = started + seconds * (_MEASURE_SHARE if campaign.train else 0.97)
    pool_settings = Settings()
    with Pool(campaign.cpus(), pool_settings) as pool:
        known = check_machine(pool)
        supply = gather(campaign, lambda: time.monotonic() - started < seconds * _EXTRACT_SHARE)
        header = {
            "cpu": describe(),
            "notion": campaign.notion,
            "clock": pool.hello.clock,
            "settings": repr(pool_settings),
        }
        with Journal(partial, header) as journal:
            labels = _measure(campaign, pool, supply, journal, deadline, quiet)
        hello = pool.hello
    card = {**_card(campaign, supply, labels, hello), "known_answers": known}
    return _labelled(campaign, supply, labels, card)


def check_machine(pool: Pool) -> dict[str, float]:
    """Cycles of the blocks whose throughput is known; raises where the universal ones come out wrong."""
    kernels = known_answers()
    measured = answers(pool, kernels)
    wrong = [kernel.name for kernel in ANY if not is_right(kernel, measured[kernel.name])]
    if wrong:
        raise TrimtabError(
            f"this machine can't be measured now: {wrong[0]!r} takes {measured[wrong[0]]:.2f} cycles by its clock. Is "
            "it busy, or an emulation? Try again when it is quiet."
        )
    return {name: round(cycles, 3) for name, cycles in measured.items() if np.isfinite(cycles)}


def gather(campaign: Campaign, proceed: Callable[[], bool]) -> Supply:
    """The distinct blocks of all sources that may run, shuffled by the seed."""
    found: dict[bytes, tuple[Block, str]] = {}
    complete = True
    rng = np.random.default_rng(campaign.seed)
    for path in (*campaign.binaries, *campaign.lists):
        if path in campaign.binaries:
            blocks = distinct(read_elf(path).code(), proceed)
            blocks = [blocks[at] for at in rng.permutation(len(blocks))[: campaign.most or len(blocks)]]
            complete = complete and proceed()
        else:
            blocks = [Block(code, b"", 0) for code in dict.fromkeys(read_hex(path))]
        for block in blocks:
            found.setdefault(block.code, (block, path.name))
    supply = Supply(complete=complete)
    everything = list(found.values())
    for at in rng.permutation(len(everything)):
        block, application = everything[at]
        answer = admit(block.code, campaign.notion)
        if isinstance(answer, Admitted):
            supply.blocks.append(block)
            supply.application.append(application)
            supply.admitted.append(answer)
        else:
            supply.refused[answer.reason.partition(" (")[0]] += 1
    if not supply.blocks:
        raise UsageError("none of the blocks may be measured: " + _counts(supply.refused))
    return supply


def _measure(
    campaign: Campaign, pool: Pool, supply: Supply, journal: Journal, deadline: float, quiet: bool
) -> list[Label]:
    from rich.console import Console
    from rich.progress import Progress

    keys = [key_of(block.code) for block in supply.blocks]
    records = [Record() for _ in keys]
    for record, key in zip(records, keys, strict=True):
        for reading in journal.readings.get(key, ()):
            record.add(reading)
    passes = Passes(campaign.passes, max(6, campaign.passes))
    total = len(records) * campaign.passes
    done = sum(len(readings) for readings in journal.readings.values())

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True, quiet=quiet)) as progress:
        bar = progress.add_task(f"measuring {len(records)} blocks", total=total, completed=done)

        def heard(index: int, reading: Reading) -> None:
            journal.add(keys[index], reading)
            progress.advance(bar)

        try:
            measure_labels(pool, supply.admitted, records, passes, lambda: time.monotonic() < deadline, heard)
        except KeyboardInterrupt:
            journal.close()
            progress.console.print(f"what is measured is kept in {journal.path}: the same command goes on from there")
            raise
        progress.update(bar, completed=total)
    return [record.label() for record in records]


def _labelled(campaign: Campaign, supply: Supply, labels: Sequence[Label], card: dict[str, Any]) -> Labelled:
    kept = [at for at, label in enumerate(labels) if not label.reason and label.passes >= 2]
    if not kept:
        raise TrimtabError("no block got a label: " + _counts(Counter(label.reason for label in labels)))
    return Labelled(
        blocks=tuple(supply.blocks[at].code for at in kept),
        cycles=np.array([labels[at].cycles for at in kept]),
        application=tuple(supply.application[at] for at in kept),
        frequency=np.array([float(supply.blocks[at].count) for at in kept]),
        cpu=fingerprint(),
        notion=campaign.notion,
        card=card,
    )


def _card(campaign: Campaign, supply: Supply, labels: Sequence[Label], hello: Hello) -> dict[str, Any]:
    """What the labels are, and how they were made."""
    tried = [label for label in labels if label.reason != OUT_OF_TIME]
    spreads = np.array([label.spread for label in labels if not label.reason])
    return {
        "title": "Measured throughput of basic blocks",
        "unit": f"core cycles per iteration, {'unrolled' if campaign.notion == 'U' else 'looped'}",
        "command": _command(campaign),
        "captured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": describe(),
        **clock_card(hello.ticks, hello.clock),
        "protocol": {**_PROTOCOL, "passes": campaign.passes, "settings": repr(Settings())},
        "sources": {path.name: sha256(path) for path in (*campaign.binaries, *campaign.lists)},
        "blocks": len(supply.blocks) + sum(supply.refused.values()),
        "refused": dict(supply.refused.most_common()),
        "measured": len(tried),  # the others had to wait for another time
        "accepted": len(spreads),
        "failed": dict(Counter(label.reason for label in tried if label.reason).most_common()),
        "spread": {"median": _percentile(spreads, 50), "p95": _percentile(spreads, 95)},  # of the closest passes
        "notes": [] if supply.complete else ["The time ran out before the binaries were searched to the end."],
    }


_PROTOCOL: Final = {
    "label": "mean of the two closest passes, which differ by at most 5 %",
    "pass": "least window of 2U minus least window of U repetitions, windows beside a slow sentinel dropped",
    "calibration": "dependent additions, one cycle each, before and after the windows in the same process",
    "memory": "each touched page is a frame of its own; registers and memory hold one pointer",
}


def _command(campaign: Campaign) -> str:
    words = ["trimtab capture block_throughput"]
    words += [f"--binaries {path}" for path in campaign.binaries] + [f"--blocks {path}" for path in campaign.lists]
    words += [f"--minutes {campaign.minutes:g} --notion {campaign.notion} --passes {campaign.passes}"]
    words += [f"--most {campaign.most}"] if campaign.most else []
    return " ".join([*words, f"--seed {campaign.seed}"])


def _percentile(values: Floats, q: float) -> float | None:
    return round(float(np.percentile(values, q)), 5) if len(values) else None


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(4))
