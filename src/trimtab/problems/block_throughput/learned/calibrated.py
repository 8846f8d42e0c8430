# SPDX-License-Identifier: Apache-2.0
"""The solver: a simulator with learned parameters, a boosted correction and an interval, for each CPU it knows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError, Unavailable
from trimtab.core.task import Task
from trimtab.kit.weights import Carded, load_weights, read_card, save_weights

from ..baselines.forest import Forest, shapes
from ..decode import Decoded, decode
from ..decode import records as R
from ..problem import NOTIONS, BlockSet, Floats, Notion, Prediction
from ..simulator import columns as P
from ..simulator import prior as Q
from ..simulator.many import run_many
from .explain import explain
from .features import BUDGET, LEAST, NAMES, features
from .fitting import Skeleton, share
from .trees import Trees

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "calibrated.safetensors"
NAME: Final = "calibrated"
VERSION: Final = f"{P.VERSION}.{len(NAMES)}.{P.MACHINE}"  # of what the parameters and the trees mean
CHUNK: Final = 4096  # blocks at a time
STRANGE: Final = 0.7  # least half-width (log) of the interval of a block with an instruction that was never measured
_LOG: Final = logging.getLogger("trimtab")
_MOST: Final = 1 << 20  # rows, trees or nodes in a file


@dataclass(frozen=True, eq=False)
class Core:
    """What was learned of one CPU and one notion of throughput."""

    cpu: str
    notion: Notion
    skeleton: Skeleton
    residual: Forest  # log(measured / skeleton)
    spread: Forest  # log of the size of the error that is left, log scale
    factor: float  # spreads that 90 % of the errors stay within

    @cached_property
    def trees(self) -> tuple[Trees, Trees]:
        return Trees(self.residual), Trees(self.spread)

    def simulate(self, code: Decoded) -> Floats:
        """What the simulator tells of each block.  (blocks, P.RUN)"""
        told = np.zeros((len(code.first) - 1, P.RUN))
        which = np.flatnonzero(~code.refused())
        part = np.zeros((len(which), P.RUN))
        k = self.skeleton
        run_many(
            which, code.row, code.disp, code.imm, code.size, code.first, code.records, k.params, k.machine, BUDGET, part
        )
        told[which] = part
        return told

    def predict(self, blocks: Sequence[bytes], *, correct: bool = True) -> Prediction:
        """Cycles per iteration and a 90 % interval; NaN for blocks that are not code, or that branch."""
        parts = [self._chunk(blocks[at : at + CHUNK], correct) for at in range(0, len(blocks), CHUNK)]
        cycles, low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Prediction(cycles, low, high)

    def _chunk(self, blocks: Sequence[bytes], correct: bool) -> tuple[Floats, Floats, Floats]:
        code = decode(blocks)
        told = self.simulate(code)
        middle = np.log(np.maximum(told[:, P.CYCLES], LEAST))
        half = np.full(len(middle), np.log(2.0))
        if correct:
            table, (residual, spread) = features(code, told), self.trees
            middle += residual.predict(table)
            half = self.factor * np.exp(spread.predict(table))
        half = np.where(self.strangers(code), np.maximum(half, STRANGE), half)
        half[code.refused()] = middle[code.refused()] = np.nan
        return np.exp(middle), np.exp(middle - half), np.exp(middle + half)

    def strangers(self, code: Decoded) -> NDArray[np.bool_]:
        """Blocks that have an instruction which no training block had.  (blocks,)"""
        strange = self.skeleton.support[code.records[code.row, R.FORM]] == 0
        hits = np.concatenate(([0], np.cumsum(strange)))
        return np.asarray(hits[code.first[1:]] > hits[code.first[:-1]])


@dataclass(frozen=True, eq=False)
class Calibrated(Carded):
    """The solver. Without `correct`, the simulator alone answers: what the boosted trees add can be seen."""

    cores: tuple[Core, ...]
    card: Mapping[str, Any]
    correct: bool = True
    weights: Path | None = None
    track = "policy"
    deterministic = True

    @property
    def config(self) -> Mapping[str, Any]:
        return {"solver": NAME, "correct": self.correct, "sha": self.card.get("cores", [])}

    def core(self, cpu: str, notion: Notion = "U") -> Core:
        """Raises `Unavailable` for a CPU that was never measured: its timing can't be guessed."""
        for one in self.cores:
            if (one.cpu, one.notion) == (cpu, notion):
                return one
        known = ", ".join(f"{one.cpu} ({one.notion})" for one in self.cores)
        raise Unavailable(
            f"nothing is known of the CPU {cpu or '(unknown)'} ({notion}), only of {known}.  "
            "On that machine: trimtab capture block_throughput --binaries PROGRAM --minutes 5"
        )

    def solve(self, task: Task[BlockSet, Prediction]) -> Prediction:
        instance = task.instance
        core = self.core(instance.cpu, instance.notion)
        prediction = core.predict(instance.blocks, correct=self.correct)
        refused = int(np.isnan(prediction.cycles).sum())
        if refused:
            _LOG.warning("%d of %d blocks are no straight-line x86-64 code: no answer", refused, len(instance))
        return replace(prediction, explain=partial(explain, core.skeleton))

    def predict(self, blocks: Sequence[bytes], cpu: str = "", notion: Notion = "U") -> Prediction:
        """Of any blocks; `cpu` is that of this machine if it is not named."""
        if not cpu:
            from ..system.cpu import fingerprint

            cpu = fingerprint()
        return self.core(cpu, notion).predict(blocks, correct=self.correct)

    def save(self, path: Path) -> None:
        arrays: dict[str, NDArray[np.float32]] = {}
        about = []
        for at, core in enumerate(self.cores):
            codes, rows = _rows(core.skeleton)
            arrays[f"{at}.forms"] = rows
            arrays[f"{at}.machine"] = core.skeleton.machine.astype(np.float32)
            for name, forest in (("residual", core.residual), ("spread", core.spread)):
                arrays |= {f"{at}.{name}.{part}": array for part, array in forest.arrays().items()}
            sizes = {
                name: (len(forest.root), len(forest.feature))
                for name, forest in (("residual", core.residual), ("spread", core.spread))
            }
            told = {"cpu": core.cpu, "notion": core.notion, "codes": codes, "rows": len(rows), "factor": core.factor}
            about.append({**told, **sizes})
        save_weights(path, arrays, {**self.card, "solver": NAME, "version": VERSION, "cores": about})

    @classmethod
    def load(cls, path: Path, *, correct: bool = True) -> Calibrated:
        """Raises `DataError` where the file does not hold this solver's weights."""
        card = read_card(path)
        if card.get("solver") != NAME:
            raise DataError(f"weights file {path}: of the solver {card.get('solver')!r}, not of {NAME!r}")
        if card.get("version") != VERSION:
            raise DataError(
                f"weights file {path}: made for version {card.get('version')!r} of the simulator, this is {VERSION}: "
                "train or capture again"
            )
        try:
            about = [_About(one) for one in card["cores"]]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"weights file {path}: its card does not describe its arrays: {error}") from error
        arrays, card = load_weights(path, {k: v for at, one in enumerate(about) for k, v in one.shapes(at).items()})
        cores = tuple(one.core(at, arrays) for at, one in enumerate(about))
        return cls(cores, card, correct, path)


def load(path: Path) -> Calibrated:
    return Calibrated.load(path)


@cache
def _shipped() -> Calibrated:
    return Calibrated.load(SHIPPED)


def shipped(*, correct: bool = True) -> Calibrated:
    """The solver with the weights that trimtab ships: Zen 4 and Zen 5."""
    model = _shipped()
    return Calibrated(model.cores, model.card, correct, model.weights)


class _About:
    """One core's part of a card, checked."""

    def __init__(self, part: Mapping[str, Any]) -> None:
        self.cpu, self.notion = str(part["cpu"]), part["notion"]
        if self.notion not in NOTIONS:
            raise ValueError(f"notion {self.notion!r}")
        self.codes = [str(name) for name in part["codes"]]
        self.rows = _count(part["rows"])
        self.factor = float(part["factor"])
        self.sizes = {name: tuple(map(_count, part[name])) for name in ("residual", "spread")}
        if not 0 < self.factor < 100:
            raise ValueError(f"factor {self.factor}")

    def shapes(self, at: int) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {f"{at}.forms": (self.rows, 3 + P.FIELDS), f"{at}.machine": (P.MACHINE,)}
        for name, (trees, nodes) in self.sizes.items():
            found |= {f"{at}.{name}.{part}": shape for part, shape in shapes(trees, nodes).items()}
        return found

    def core(self, at: int, arrays: Mapping[str, NDArray[np.float32]]) -> Core:
        skeleton = _skeleton(self.codes, arrays[f"{at}.forms"], arrays[f"{at}.machine"])
        residual, spread = (
            Forest.load({part: arrays[f"{at}.{name}.{part}"] for part in ("root", "nodes")}, len(NAMES))
            for name in ("residual", "spread")
        )
        return Core(self.cpu, self.notion, skeleton, residual, spread, self.factor)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError(f"a size of {value!r}")
    return value


def _rows(skeleton: Skeleton) -> tuple[list[str], NDArray[np.float32]]:
    """The forms that were measured: names of codes, and (code, variant, support, parameters) of each form."""
    forms = np.flatnonzero(skeleton.support)
    codes, index = np.unique(forms // Q.VARIANTS, return_inverse=True)
    columns = (index[:, None], (forms % Q.VARIANTS)[:, None], skeleton.support[forms][:, None], skeleton.params[forms])
    return [Q.code_names()[code] for code in codes], np.concatenate(columns, axis=1).astype(np.float32)


def _skeleton(codes: Sequence[str], rows: NDArray[np.float32], machine: NDArray[np.float32]) -> Skeleton:
    """Raises `DataError` for parameters that no core has: with some of them a simulation would never end."""
    params, support = Q.prior(), np.zeros(Q.VARIANTS * len(Q.forms()), np.int32)
    numbers = {name: at for at, name in enumerate(Q.code_names())}
    table = rows.astype(np.int64)
    if len(table) and not (table[:, 0].min() >= 0 and table[:, 0].max() < len(codes)):
        raise DataError("a skeleton: a form of a code that is not named")
    P.check(table[:, 3:], machine.astype(np.int64))
    for line in table.tolist():
        index, variant, count, fields = line[0], line[1], line[2], line[3:]
        code = numbers.get(codes[int(index)])
        if code is not None and 0 <= variant < Q.VARIANTS:  # another iced-x86 may not know a code of this one
            form = Q.VARIANTS * code + variant
            params[form, : P.KIND] = fields[: P.KIND]
            support[form] = count
    share(params, support)
    return Skeleton(params, machine.astype(np.int64), support)
