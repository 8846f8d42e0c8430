# SPDX-License-Identifier: Apache-2.0
"""`Problem`: the table of contents of one problem's folder. A value: nothing to inherit, nothing to override."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .errors import UnknownName, UsageError

if TYPE_CHECKING:
    from .backend import Backend
    from .solver import Learner, Solver

I = TypeVar("I")  # noqa: E741  an instance
D = TypeVar("D")  # a decision
T = TypeVar("T")

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a backend reports. `unit` is SI ("s", "B", "1" for a ratio)."""

    name: str
    unit: str
    goal: Literal["minimize", "maximize"] = "minimize"
    optional: bool = False  # only some decisions have it (an interval's coverage); never the first metric

    def __post_init__(self) -> None:
        if self.goal not in ("minimize", "maximize"):
            raise UsageError(f"metric {self.name!r}: goal must be 'minimize' or 'maximize', got {self.goal!r}")


@dataclass(frozen=True)
class Problem(Generic[I, D]):
    """A decision that computer systems make, with all that is needed to study and to use it.

    The first six fields are the contract. The others are optional, and mean the
    same for every problem; a verb that needs one says so when it is missing.
    """

    name: str
    metrics: tuple[Metric, ...]  # the first decides
    instances: Callable[[Split], Mapping[str, I]]
    backends: Mapping[str, Callable[[], Backend[I, D]]]  # "simulator", "system"; the first is the default
    solvers: Mapping[str, Callable[[], Solver[I, D]]]  # policies and searches, trained or classical
    question: str = ""  # one line: what is decided
    version: str = "1"  # raised when results could change
    reference: str = ""  # the solver others are compared with; by default the first
    learners: Mapping[str, Callable[[], Learner[I, D]]] = field(default_factory=dict)  # what `train` can train
    suites: Mapping[str, Callable[[Split], Mapping[str, I]]] = field(default_factory=dict)  # more instances, by name
    quick: Mapping[str, Sequence[str]] = field(default_factory=dict)  # {"solvers": ..., "instances": ...} for --quick
    parse: Callable[..., Mapping[str, I]] | None = None  # (paths, **solve_options): the field's own file formats
    solve_options: Callable[[], Sequence[Any]] | None = None  # click options of `solve`, for what the files don't say
    render: Callable[[I, D, Backend[I, D], int], Rendering] | None = None  # a decision, shown and written
    load: Callable[[Path], Solver[I, D]] | None = None  # a solver that `train` saved
    capture: Callable[..., Any] | None = None  # returns the click command that makes a workload from the user's system
    card: Callable[[], str] | None = None  # the README, for `show` and the docs
    at: Callable[[str], Problem[I, D]] | None = None  # the same, on the user's own running system, by its address

    def __post_init__(self) -> None:
        if not self.metrics:
            raise UsageError(f"problem {self.name!r}: at least one metric is needed")
        if self.metrics[0].optional:
            raise UsageError(f"problem {self.name!r}: its first metric decides, so it can't be optional")
        if not self.backends or not self.solvers:
            raise UsageError(f"problem {self.name!r}: at least one backend and one solver are needed")
        if self.reference and self.reference not in self.solvers:
            raise UsageError(f"problem {self.name!r}: the reference {self.reference!r} is not one of its solvers")

    @property
    def default_backend(self) -> str:
        return next(iter(self.backends))

    @property
    def default_reference(self) -> str:
        return self.reference or next(iter(self.solvers))

    def solver(self, name: str) -> Solver[I, D]:
        return self._pick("solver", self.solvers, name)()

    def learner(self, name: str) -> Learner[I, D]:
        return self._pick("learner", self.learners, name)()

    def backend(self, name: str = "") -> Backend[I, D]:
        return self._pick("backend", self.backends, name or self.default_backend)()

    def suite(self, name: str, split: Split) -> Mapping[str, I]:
        """Instances of a named suite; '' is the shipped one."""
        return self._pick("suite", self.suites, name)(split) if name else self.instances(split)

    def _pick(self, kind: str, among: Mapping[str, T], name: str) -> T:
        if name not in among:
            raise UnknownName(f"{kind} of {self.name}", name, among)
        return among[name]


@dataclass(frozen=True)
class Rendering:
    """A decision for the user: a line for the terminal, a table, and files by name (text or bytes)."""

    summary: str
    table: Sequence[Mapping[str, str | float]] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
