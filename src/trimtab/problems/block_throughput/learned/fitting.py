# SPDX-License-Identifier: Apache-2.0
"""The simulator's parameters, from measured blocks: coordinate search, the machine's first, then every form's.

The loss of a block is its |log(predicted / measured)|, cut off at 1, so that what the
model can't express does not pull at the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..decode import Decoded
from ..decode import records as R
from ..simulator import columns as P
from ..simulator import prior as Q
from ..simulator.many import run_many

_LOG: Final = logging.getLogger("trimtab")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CUT: Final = 1.0
SAMPLE: Final = 66  # blocks that a form is fitted on, at most
ENOUGH: Final = 0.003  # mean loss that no search is worth any more
GAIN: Final = 0.004  # mean loss that a change must bring to be believed

_F = Q.F0, Q.F1, Q.F2, Q.F3
_PAIRS = tuple(a | b for i, a in enumerate(_F) for b in _F[i + 1 :])
PORT_CHOICES: Final = {
    0: (Q.ALU, Q.A0 | Q.A3, Q.A1 | Q.A2, Q.A0, Q.A1, Q.A2, Q.A3, Q.A0 | Q.A1 | Q.A2),
    1: (Q.FPU, *_PAIRS, *_F, Q.FPU & ~Q.F0, Q.FPU & ~Q.F2),
}
CHOICES: Final = {
    P.SLOTS: (0, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 36, 48, 72, 96, 144),
    P.LATENCY: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 19, 21, 24, 28, 35, 45, 60, 80),
    P.UOPS: (0, 1, 2, 3, 4, 6, 8, 12, 20),
    P.HOLD: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20),
}
WIDE: Final = (1 << P.PORTS_) - 1
NARROW: Final = WIDE & ~(0b110000 | 1 << 9)  # four ALUs, three address units
#: Widths that go together, from a core four wide to one eight wide.
PRESETS: Final[tuple[dict[int, int], ...]] = (
    {P.DISPATCH: 4, P.PRESENT: NARROW, P.NEAR_LINES: 64},
    {P.DISPATCH: 3, P.PRESENT: WIDE, P.NEAR_LINES: 96, P.RENAME_RMW: 1},
    {P.DISPATCH: 6, P.PRESENT: NARROW & ~(1 << 8), P.NEAR_LINES: 64, P.RENAMED: 4},
)
MACHINE_CHOICES: Final = {
    P.DISPATCH: (3, 4, 5, 6), P.PRESENT: (NARROW, WIDE, WIDE & ~0b110000, WIDE & ~(1 << 9), NARROW & ~0b1000),
    P.LOAD_LATENCY: (3, 4, 5), P.VECTOR_LOAD_LATENCY: (5, 6, 7, 8), P.FORWARD: (4, 5, 6, 7, 8, 10),
    P.VECTOR_FORWARD: (5, 6, 7, 8, 10, 12), P.RENAMED: (0, 1, 2, 4), P.PARTIAL: (8, 10, 12, 14, 16, 18, 20, 24),
    P.WINDOW: (96, 128, 192, 224, 320, 448), P.INDEXED: (0, 1), P.CROSS: (0, 1, 2), P.RENAME_RULE: (0, 1, 2),
    P.LOAD_PORTS: (Q.AGU, 3 << 6, 1 << 6), P.VECTOR_LOAD_PORTS: (Q.AGU, 3 << 6, 1 << 6),
    P.STORE_PORTS: (3 << 10, 1 << 10), P.VECTOR_STORE_PORTS: (3 << 10, 1 << 10), P.STORE_DATA: (3 << 16, 1 << 16),
    P.QUEUE: (16, 20, 24, 28, 36, 48, 64, 96, 400), P.VECTOR_QUEUE: (48, 64, 96, 128, 160, 400),
    P.NEAR_LINES: (32, 48, 56, 64, 72, 96, 128), P.LINE_COST: (0, 4, 8, 12, 16, 20, 24, 32),
    P.NEAR_PAGES: (32, 48, 64, 72, 96, 128), P.PAGE_COST: (0, 12, 20, 28, 36, 48, 64), P.MISS: (0, 6, 10, 14),
    P.RENAME_OPS: (0, 1, 2), P.WAIT_ALL: (0, 1, 3), P.LATE_COST: (0, 5, 10, 20), P.RENAME_INDEXED: (0, 1),
    P.RENAME_LEAST: (1, 4, 8), P.RENAME_RMW: (0, 1), P.NOP_FUSION: (0, 1), P.COMMIT: (0, 1, 2), P.SYNC: (0, 1, 2),
    P.SPLIT_COMMIT: (0, 1, 2), P.DIVIDE: (0, 1, 2, 3, 4, 6, 8),
}  # fmt: skip


def start_machine() -> Ints:
    """The machine's parameters before anything is learned."""
    machine = np.zeros(P.MACHINE, np.int64)
    for at, value in {
        P.LOAD_LATENCY: 4, P.VECTOR_LOAD_LATENCY: 7, P.FORWARD: 6, P.VECTOR_FORWARD: 8, P.RENAMED: 0, P.PARTIAL: 16,
        P.WINDOW: 320, P.CROSS: 1, P.RENAME_RULE: 2, P.LOAD_PORTS: Q.AGU, P.VECTOR_LOAD_PORTS: 3 << 6,
        P.STORE_PORTS: 3 << 10, P.VECTOR_STORE_PORTS: 1 << 10, P.STORE_DATA: 3 << 16, P.NOP_FUSION: 1, P.SYNC: 1,
        P.SPLIT_COMMIT: 1, P.DIVIDE: 4, P.AGU_PORTS: Q.AGU, P.COMMIT: 1, P.DISPATCH: 4, P.PRESENT: NARROW,
        P.QUEUE: 96, P.VECTOR_QUEUE: 128, P.NEAR_LINES: 64, P.LINE_COST: 16, P.NEAR_PAGES: 64, P.PAGE_COST: 0,
        P.RENAME_INDEXED: 1, P.RENAME_OPS: 2, P.RENAME_LEAST: 4, P.COMMIT_RETIRED: 1, P.WAIT_ALL: 3,
    }.items():  # fmt: skip
        machine[at] = value
    return machine


@dataclass(frozen=True, eq=False)
class Skeleton:
    """What a CPU's core is like: the simulator's parameters."""

    params: NDArray[np.int32]  # (forms, P.FIELDS)
    machine: Ints  # (P.MACHINE,)
    support: NDArray[np.int32]  # (forms,) blocks that had the form


@dataclass
class Fit:
    """A search under way."""

    code: Decoded
    cycles: Floats
    params: NDArray[np.int32]
    machine: Ints
    budget: int = 160

    def simulate(self, which: Ints) -> Floats:
        out = np.empty((len(which), P.RUN))
        d = self.code
        run_many(which, d.row, d.disp, d.imm, d.size, d.first, d.records, self.params, self.machine, self.budget, out)
        return np.asarray(np.maximum(out[:, P.CYCLES], 0.02))

    def loss(self, which: Ints) -> float:
        ratio = np.abs(np.log(self.simulate(which) / self.cycles[which]))
        return float(np.minimum(ratio, CUT).mean())

    def try_values(self, table: NDArray[np.int32] | Ints, at: tuple[int, ...] | int, values: Iterable[int],
                   which: Ints, best: float, gain: float) -> float:  # fmt: skip
        kept = int(table[at])
        for value in values:
            if value == kept:
                continue
            table[at] = value
            loss = self.loss(which)
            if loss < best - gain:
                best, kept = loss, value
        table[at] = kept
        return best

    def machines(self, which: Ints, *, first: bool) -> float:
        """Whole machines where nothing is known yet, then parameter after parameter."""
        best, kept = self.loss(which), self.machine.copy()
        for preset in PRESETS if first else ():
            self.machine[list(preset)] = list(preset.values())
            loss = self.loss(which)
            if loss < best:
                best, kept = loss, self.machine.copy()
        self.machine[:] = kept
        for at, values in MACHINE_CHOICES.items():
            best = self.try_values(self.machine, at, values, which, best, 1e-5)
        return best

    def climb(self, at: tuple[int, int], values: tuple[int, ...], which: Ints, best: float) -> float:
        """`try_values`, but of ordered values only near ones, as far as they get better, and a few far ones."""
        here = int(np.searchsorted(values, self.params[at]))
        far = {values[0], values[len(values) // 4], values[len(values) // 2], values[3 * len(values) // 4]}
        near = {values[i] for i in (here - 2, here - 1, here + 1, here + 2) if 0 <= i < len(values)}
        tried = near | far
        while True:
            before = best
            best = self.try_values(self.params, at, sorted(tried), which, best, GAIN)
            if best == before:
                return best
            here = int(np.searchsorted(values, self.params[at]))
            more = {values[i] for i in (here - 1, here + 1) if 0 <= i < len(values)} - tried
            if not more:
                return best
            tried = more

    def form(self, form: int, which: Ints) -> None:
        best = self.loss(which)
        kind = int(Q.KINDS[self.params[form, P.KIND]][1])
        for field in (P.LATENCY, P.UOPS, P.PORTS, P.HOLD, P.SLOTS):
            if best < ENOUGH:
                return
            if field == P.PORTS:
                best = self.try_values(self.params, (form, field), PORT_CHOICES[kind], which, best, GAIN)
            else:
                best = self.climb((form, field), CHOICES[field], which, best)


def blocks_of_forms(code: Decoded, which: Ints) -> dict[int, Ints]:
    """The blocks that have a form, by form."""
    owner = np.repeat(np.arange(len(code.first) - 1), np.diff(code.first))
    wanted = np.zeros(len(code.first) - 1, bool)
    wanted[which] = True
    keep = wanted[owner]
    pairs = np.unique(np.stack((code.records[code.row[keep], R.FORM].astype(np.int64), owner[keep])), axis=1)
    forms, starts = np.unique(pairs[0], return_index=True)
    return {int(form): part for form, part in zip(forms, np.split(pairs[1], starts[1:]), strict=True)}


def fit(code: Decoded, cycles: Floats, which: Ints, *, seed: int = 0, seconds: float = 120.0) -> Skeleton:
    """Fit on the blocks `which`; code must decode and cycles be known there."""
    rng, started = np.random.default_rng(seed), time.process_time()
    work = Fit(code, cycles, Q.prior(), start_machine())
    lengths = np.diff(code.first)
    usable = which[(lengths[which] <= 60) & (cycles[which] < 200)]
    found = blocks_of_forms(code, usable)
    support = np.zeros(len(work.params), np.int32)
    for form, blocks in found.items():
        support[form] = len(blocks)
    some = rng.permutation(usable)[: int(min(5000, max(300, 400 * seconds)))]
    _LOG.info("skeleton: loss %.4f before the fit", work.loss(some))
    order = sorted(found, key=lambda form: -len(found[form]))
    passes = 3
    for turn in range(passes):
        loss = work.machines(some, first=turn == 0)
        _LOG.info(
            "skeleton: loss %.4f with the machine of pass %d, %.0f CPU s", loss, turn + 1, time.process_time() - started
        )
        for form in order:
            if time.process_time() - started > seconds * (turn + 1) / passes:
                break
            blocks = found[form]
            if len(blocks) < 3:
                continue
            work.form(form, _sample(blocks, lengths, rng))
        _LOG.info(
            "skeleton: loss %.4f after pass %d, %.0f CPU s", work.loss(some), turn + 1, time.process_time() - started
        )
        share(work.params, support)
    return Skeleton(work.params, work.machine, support)


def _sample(blocks: Ints, lengths: Ints, rng: np.random.Generator) -> Ints:
    """Short ones tell most of a form; some of any length keep it honest."""
    if len(blocks) <= SAMPLE:
        return blocks
    pool = rng.permutation(blocks)[: 6 * SAMPLE]
    short = pool[np.argsort(lengths[pool], kind="stable")][: 2 * SAMPLE // 3]
    return np.concatenate((short, rng.permutation(np.setdiff1d(pool, short))[: SAMPLE // 3]))


def share(params: NDArray[np.int32], support: NDArray[np.int32]) -> None:
    """A form that was hardly measured takes after its best-known sibling: same mnemonic, same width."""
    best: dict[tuple[str, str, int], int] = {}
    keys = [_key(form) for form in range(len(params))]
    for form in np.flatnonzero(support >= 5):
        key = keys[form]
        if key not in best or support[form] > support[best[key]]:
            best[key] = int(form)
    for at, key in enumerate(keys):
        if support[at] < 3 and key in best:
            params[at] = params[best[key]]


def _key(form: int) -> tuple[str, str, int]:
    code, variant = divmod(form, Q.VARIANTS)
    mnemonic, name = Q.forms()[code], Q.code_names()[code]
    bare = mnemonic[1:] if name.startswith(("VEX_V", "EVEX_V")) else mnemonic
    width = next((w for w in ("ZMM", "YMM", "XMM", "64", "32", "16", "8") if w in name), "")
    return bare, width, variant & 1
