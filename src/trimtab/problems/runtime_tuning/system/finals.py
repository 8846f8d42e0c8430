# SPDX-License-Identifier: Apache-2.0
"""Which configuration is the search's answer: the few that may be the best, run again in turns with the default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ..space import Values
from .pairs import Turns
from .records import Prior, Record, chance, key_of
from .session import Session

FINALISTS: Final = 3
ROUNDS: Final = 6
LEAST: Final = 2  # rounds before one may be out
HOPELESS: Final = 0.05  # chance of being the best below which one is out
_DEFAULT: Final = "default"


@dataclass(frozen=True)
class Finding:
    """What a search ends with."""

    values: Values
    loss: float  # log ratio to the default: what the search expects, shrunk
    sd: float  # of that expectation
    seen: float  # the same without shrinking: the mean of what was measured
    noise: float  # standard deviation of a log ratio of two runs


def finalists(session: Session) -> list[Values]:
    """The optimiser's own answer, and the best by what was measured; none that is the default."""
    space = session.space
    default = key_of(space, space.default)
    ranked = sorted(
        (r for k, r in session.records.items() if k != default and r.allowed(session.objective) and r.mean < 0.0),
        key=lambda record: record.mean + math.sqrt(record.variance(session.gauge.sd)),
    )
    own = session.optimiser.best()
    chosen = {key_of(space, own): own} | {key_of(space, record.values): record.values for record in ranked}
    chosen.pop(default, None)
    failed = {key for key, record in session.records.items() if record.failed}
    return [values for key, values in chosen.items() if key not in failed][:FINALISTS]


def decide(session: Session, turns: Turns) -> Finding | None:
    """Run the finalists in turns with the default; None where nothing looks better than the default."""
    players = {f"{k}": values for k, values in enumerate(finalists(session))}
    if not players:
        return None
    runs: dict[str, Record] = {name: Record(values) for name, values in players.items()}
    for number in range(1, ROUNDS + 1):
        turn = turns.play({**players, _DEFAULT: session.space.default})
        if _DEFAULT not in turn.losses:
            continue
        for name in list(players):
            if name not in turn.losses:
                del players[name]
                continue
            runs[name].add(turn.losses[name] - turn.losses[_DEFAULT], 0.0, turn.metrics[name])
            if session.objective.broken(runs[name].metrics):
                del players[name]
        if number >= LEAST:
            _drop(players, runs, session)
        if not players:
            return None
    return _finding(session, [runs[name] for name in players])


def _drop(players: dict[str, Values], runs: dict[str, Record], session: Session) -> None:
    """Those that hardly are the best."""
    sd = session.gauge.sd
    best = min((runs[name] for name in players), key=lambda record: record.mean, default=None)
    if best is None:
        return
    for name in list(players):
        one = runs[name]
        if one is not best and chance((one.mean, one.variance(sd)), (best.mean, best.variance(sd))) < HOPELESS:
            del players[name]


def _finding(session: Session, left: list[Record]) -> Finding | None:
    left = [record for record in left if record.runs]
    if not left:
        return None
    sd = session.gauge.sd * math.sqrt(2.0)  # a finalist's log ratio has the noise of two runs
    best = min(left, key=lambda record: record.middle)
    if best.mean >= 0.0:
        return None
    noise = max(sd, _spread(best))
    prior = Prior.of(_peers(session), session.gauge.sd)
    loss, variance = prior.shrink(best.mean, noise**2 / best.runs)
    return Finding(best.values, loss, math.sqrt(variance), best.mean, noise)


def _spread(record: Record) -> float:
    n = record.runs
    return math.sqrt(sum((loss - record.mean) ** 2 for loss in record.losses) / (n - 1)) if n > 1 else 0.0


def _peers(session: Session) -> list[Record]:
    """Configurations that are not clearly worse than the default: the ones that the best was selected from."""
    most = max(0.1, 3.0 * session.gauge.sd)
    return [r for r in session.records.values() if r.runs and not r.failed and r.mean <= most]
