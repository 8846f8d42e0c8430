# SPDX-License-Identifier: Apache-2.0
"""`tune`: from a search to an answer that was proved, each step kept in the journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..asktell import AskTell
from ..problem import Objective
from ..space import KnobSpace, Value, Values
from .finals import Finding, decide
from .importance import main_effects
from .journal import Journal
from .meter import Meter
from .minimise import Reduction, minimise
from .pairs import Turn, Turns
from .proof import Proof, pairs_for, prove
from .session import POLICY, Policy, Row, Session

RESERVE: Final = 0.2  # of the seconds are kept for finals and proof


@dataclass(frozen=True)
class Plan:
    """How long to search, and what to do with what is found."""

    trials: float = math.inf
    seconds: float = math.inf  # of the search and the proof together; minimising comes on top
    pairs: int = 0  # of the proof; 0: as many as the gain and the noise ask for
    minimise: bool = False
    policy: Policy = POLICY
    reference: Values | None = None  # what the proof is against; None: the default


@dataclass(frozen=True)
class Answer:
    """What tuning came to. `values` is what to use: the default unless something better was proved."""

    values: Values
    finding: Finding | None  # the search's; None: nothing looked better than the default
    proof: Proof | None
    reduction: Reduction | None
    importance: Mapping[str, float]
    session: Session

    @property
    def proved(self) -> bool:
        return self.proof is not None and self.proof.verdict == "better"


@dataclass
class Listener:
    """Who watches: told of trials, of rounds in turns, and of the stage that begins."""

    row: Callable[[Session, Row], None] = lambda session, row: None
    turn: Callable[[str, Turn], None] = lambda stage, turn: None
    stage: Callable[[str, int], None] = lambda stage, rounds: None


@dataclass
class Tuning:
    """A run of tuning on a journal; `run` goes on where that ends."""

    space: KnobSpace
    objective: Objective
    optimiser: AskTell
    meters: Sequence[Meter]
    journal: Journal
    seed: int = 0
    plan: Plan = Plan()
    listener: Listener = field(default_factory=Listener)
    _after: int = 0  # trials of the search; one that is continued later has other finals

    def run(self) -> Answer:
        session = self.search()
        self._after = session.trials
        finals = self._turns("finals")
        self.listener.stage("finals", 0)
        finding = decide(session, finals)
        importance = main_effects(self.space, list(session.records.values()))
        if finding is None:
            return Answer(self.space.default, None, None, None, importance, session)
        values: dict[str, Value] = self.space.canonical(finding.values)
        reduction = self._minimise(values, finding, importance) if self.plan.minimise else None
        if reduction is not None:
            values = reduction.values
        proof = self._prove(values, finding, self.plan.seconds - session.spent - finals.seconds, session)
        chosen = values if proof.verdict == "better" else self.space.default
        return Answer(chosen, finding, proof, reduction, importance, session)

    def search(self) -> Session:
        session: Session | None = None
        early: list[Row] = []

        def listen(row: Row) -> None:
            if session is None:
                early.append(row)
            else:
                self.listener.row(session, row)

        session = Session(
            self.space, self.objective, self.optimiser, self.meters, self.journal, self.plan.policy, listen
        )  # fmt: skip
        for row in early:
            self.listener.row(session, row)
        self.listener.stage("search", 0)
        session.search(trials=self.plan.trials, seconds=self.plan.seconds * (1.0 - RESERVE))
        return session

    def _turns(self, stage: str) -> Turns:
        stage = f"{stage} after {self._after} trials"
        return Turns(stage, self.objective, self.meters[0], self.journal, self.seed, self.listener.turn)

    def _minimise(self, values: Values, finding: Finding, importance: Mapping[str, float]) -> Reduction:
        self.listener.stage("minimising", 0)
        least_first = sorted(importance, key=lambda name: importance[name])
        return minimise(self.space, values, finding.loss, self._turns, finding.noise, least_first)

    def _prove(self, values: Values, finding: Finding, seconds: float, session: Session) -> Proof:
        controls = [shot.seconds for row in session.rows for shot in row.shots if shot.control]
        pairs = self.plan.pairs or pairs_for(finding.loss, finding.noise, seconds, 2.0 * sum(controls) / len(controls))
        self.listener.stage("proof", pairs)
        reference = self.space.default if self.plan.reference is None else self.plan.reference
        return prove(self._turns("proof"), reference, values, self.objective, pairs)
