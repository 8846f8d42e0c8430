# SPDX-License-Identifier: Apache-2.0
"""`Session`: the search, one trial after the other, all of it in the journal.

Nothing is decided by a clock or by anything else that a journal does not hold, so
that a session made on a journal's rows goes on exactly where that one stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from ..asktell import AskTell
from ..problem import Objective, Status, Trial
from ..space import KnobSpace, Values
from . import machine
from .gauge import Gauge
from .journal import Journal
from .measure import Reading
from .meter import FOREVER, Meter, Patience, broken
from .records import Record, chance, condensed, key_of, restore

_DEFAULT_RUNS: Final = 3  # of the first trial


@dataclass(frozen=True)
class Policy:
    """How a session measures."""

    control: int = 4  # the default is run again after so many runs of others
    repeats: int = 3  # runs of a configuration in one trial, at most
    winning: float = 0.2  # it is run again while its chance of being the best yet is above this
    kill: float = 3.0  # times what the best yet takes: then a run is stopped,
    spare: float = 1.5  # but not before so many times what the default takes


POLICY: Final = Policy()


@dataclass(frozen=True)
class Shot:
    """One run in a trial: of the configuration, or of the default as a control."""

    control: bool
    status: Status
    metrics: Mapping[str, float]
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A trial with the runs behind it, as the journal keeps it."""

    trial: Trial
    shots: tuple[Shot, ...]
    overhead: float  # CPU seconds of the optimiser
    elapsed: float  # s of the search that it took: less than the trial's where several ran at a time
    load: float  # of the machine


@dataclass
class Session:
    """A search in progress. `listen` is told of every row, those of the journal included.

    With several meters, as many trials run at a time; a journal then goes on in
    batches from where it was cut off, which need not be the ones that would have been.
    """

    space: KnobSpace
    objective: Objective
    optimiser: AskTell
    meters: Sequence[Meter]
    journal: Journal
    policy: Policy = POLICY
    listen: Callable[[Row], None] = lambda row: None
    gauge: Gauge = field(default_factory=Gauge)
    records: dict[str, Record] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    spent: float = 0.0  # seconds of all rows
    _since: int = 0  # runs since the last control

    def __post_init__(self) -> None:
        self._default = key_of(self.space, self.space.default)
        for plain in self.journal.rows:
            if plain["kind"] == "trial":
                self.optimiser.ask()  # as it was asked then: a surrogate may learn from where it was
                self._take(_decode(self.space, plain))

    @property
    def trials(self) -> int:
        return len(self.rows)

    def search(self, *, trials: float = math.inf, seconds: float = math.inf) -> None:
        """Try configurations until there are so many trials, or they have taken so long."""
        while self.trials < trials and self.spent < seconds:
            for row in self._batch(int(min(len(self.meters) if self.trials else 1, trials - self.trials))):
                self.journal.append(_encode(row))
                self._take(row)

    def _batch(self, size: int) -> list[Row]:
        """So many trials at a time, each on a meter of its own."""
        asked: list[tuple[Values, float]] = []
        for _ in range(size):
            began = time.process_time()
            values = self.space.canonical(self.optimiser.ask())
            asked.append((values, time.process_time() - began))
        if size == 1:
            return [self._try(asked[0], self.meters[0])]
        with ThreadPoolExecutor(size) as threads:
            try:
                rows = list(threads.map(self._try, asked, self.meters))
            except BaseException:
                for meter in self.meters:
                    meter.stop()
                raise
        slowest = max(row.elapsed for row in rows)
        return [replace(row, elapsed=slowest / size) for row in rows]

    def best(self) -> Record | None:
        """The configuration with the least loss that may be the answer, by its runs so far; None: the default."""
        allowed = [r for k, r in self.records.items() if k != self._default and r.allowed(self.objective)]
        found = min(allowed, key=self._cautious, default=None)
        return found if found is not None and found.mean < 0.0 else None

    def _cautious(self, record: Record) -> float:
        return record.mean + math.sqrt(record.variance(self.gauge.sd))

    def _try(self, asked: tuple[Values, float], meter: Meter) -> Row:
        """One trial: the runs, and what they came to."""
        values, asking = asked
        load = machine.load()
        if key_of(self.space, values) == self._default:
            shots, trial = self._try_default(meter)
        else:
            shots, trial = self._try_other(values, meter)
        seconds = sum(shot.seconds for shot in shots)
        return Row(replace(trial, seconds=seconds), tuple(shots), asking, seconds + asking, load)

    def _try_default(self, meter: Meter) -> tuple[list[Shot], Trial]:
        """The default is its own measure: its loss is 0."""
        shots = [self._control(meter) for _ in range(_DEFAULT_RUNS if not len(self.gauge) else 1)]
        return shots, Trial(self.space.default, "ok", 0.0, len(shots), _means(shots))

    def _try_other(self, values: Values, meter: Meter) -> tuple[list[Shot], Trial]:
        shots: list[Shot] = []
        gauge = self.gauge.copy()
        record = Record(values)
        while True:
            due = self._since + len(shots) >= self.policy.control and not any(shot.control for shot in shots)
            if due or not len(gauge):
                control = self._control(meter)
                shots.append(control)
                gauge.add(self.objective.loss(control.metrics))
            patience = self._patience(gauge)
            reading = meter.read(values, patience)
            status = self._status(reading)
            shots.append(Shot(False, status, reading.metrics, reading.seconds, reading.note))
            if status not in ("ok", "constraint"):
                return shots, self._failure(values, status, reading, patience, gauge)
            record.add(self.objective.loss(reading.metrics) - gauge.level.mean, gauge.level.variance, reading.metrics)
            if record.runs >= self.policy.repeats or not self._may_win(record, gauge):
                break
        kept: Status = "constraint" if self.objective.broken(record.metrics) else "ok"
        loss, within = condensed(record.losses)
        return shots, Trial(values, kept, loss, record.runs, record.metrics, note=reading.note, within=within)

    def _status(self, reading: Reading) -> Status:
        if reading.status != "ok":
            return reading.status
        if not reading.metrics[self.objective.metric] > 0:
            return "crash"
        return "constraint" if self.objective.broken(reading.metrics) else "ok"

    def _failure(self, values: Values, status: Status, reading: Reading, patience: Patience, gauge: Gauge) -> Trial:
        note = reading.note or f"{self.objective.metric} is not above 0"
        bound = math.log(patience[1]) - gauge.level.mean if status == "censored" else None
        return Trial(values, status, bound, 1, reading.metrics, note=note)

    def _may_win(self, record: Record, gauge: Gauge) -> bool:
        """Could it be better than the best yet?"""
        if self.objective.broken(record.metrics):
            return False
        best = self.best()
        rival = (best.mean, best.variance(gauge.sd)) if best is not None else (0.0, gauge.level.variance)
        return chance((record.mean, record.variance(gauge.sd)), rival) > self.policy.winning

    def _patience(self, gauge: Gauge) -> Patience:
        """How long a run may take before it can't win any more."""
        metric = self.objective.metric
        if metric not in ("cpu", "wall") or self.objective.goal != "minimize":
            return FOREVER
        best = self.best()
        times = max(self.policy.kill * math.exp(best.mean if best is not None else 0.0), self.policy.spare)
        return ("cpu" if metric == "cpu" else "wall", times * math.exp(gauge.level.mean))

    def _control(self, meter: Meter) -> Shot:
        """A run of the default. Once it fails, it is tried again; twice is the end."""
        reading = meter.read(self.space.default)
        if self._status(reading) not in ("ok", "constraint"):
            reading = meter.read(self.space.default)
        status = self._status(reading)
        if status not in ("ok", "constraint"):
            if reading.status == "ok":
                self.objective.loss(reading.metrics)  # says what is wrong with the number
            raise broken(reading)
        return Shot(True, status, reading.metrics, reading.seconds, reading.note)

    def _take(self, row: Row) -> None:
        """What a row means for the state: the same whether it was measured now or is of a journal."""
        trial = row.trial
        record = self.records.setdefault(key_of(self.space, trial.values), Record(trial.values))
        for shot in row.shots:
            if shot.control:
                self.gauge.add(self.objective.loss(shot.metrics))
                self._since = 0
            else:
                self._since += 1
            if shot.status in ("ok", "constraint"):
                loss = 0.0 if shot.control else self.objective.loss(shot.metrics) - self.gauge.level.mean
                if not shot.control or record.values == self.space.default:
                    record.add(loss, self.gauge.level.variance, shot.metrics)
        record.failed |= trial.status in ("censored", "crash", "timeout", "refused")
        self.rows.append(row)
        self.spent += row.elapsed
        self.optimiser.tell(trial)
        self.listen(row)


def _means(shots: list[Shot]) -> dict[str, float]:
    names = shots[0].metrics
    return {name: sum(shot.metrics[name] for shot in shots) / len(shots) for name in names}


def _encode(row: Row) -> dict[str, Any]:
    return {"kind": "trial", **asdict(row)}


def _decode(space: KnobSpace, plain: Mapping[str, Any]) -> Row:
    told = dict(plain["trial"])
    trial = Trial(**{**told, "values": restore(space, told["values"])})
    shots = tuple(Shot(**shot) for shot in plain["shots"])
    return Row(trial, shots, plain["overhead"], plain["elapsed"], plain["load"])
