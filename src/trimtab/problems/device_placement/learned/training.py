# SPDX-License-Identifier: Apache-2.0
"""Training of `Imitation` in torch: cross-entropy of ties and squared error of starts, then policy gradient."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.core.extras import need
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Task

from ..baselines.common import prepare
from ..problem import Placement, PlacementInstance
from .annealing import constructed
from .imitation import Imitation
from .network import shapes
from .refining import refine
from .teaching import Lesson, Teacher, lesson
from .ties import best_plan, simulated
from .torch_network import torch_forward

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = need("torch", extra="learn", purpose="training a graph network")


@dataclass(frozen=True)
class ImitationLearner:
    """Fits on the tasks' instances. Their searches are kept (`lesson`): what was broken off goes on."""

    teacher: Teacher = field(default_factory=Teacher)
    epochs: int = 60
    batch: int = 8  # graphs
    rate: float = 3e-3
    refinements: int = 2_000  # steps of policy gradient after imitation
    held_out: float = 0.1  # of the instances, to report on
    kept: str = ""

    @property
    def config(self) -> dict[str, Any]:
        return {
            **asdict(self.teacher),
            "epochs": self.epochs,
            "batch": self.batch,
            "rate": self.rate,
            "refinements": self.refinements,
        }

    def fit(self, tasks: Sequence[Task[PlacementInstance, Placement]]) -> Imitation:
        clock, seed = time.process_time(), tasks[0].seed
        torch.set_num_threads(1)  # the batches are small
        folder = Path(self.kept) if self.kept else None
        lessons = [lesson(task.instance, self.teacher, seed, folder) for task in tasks]
        aside = max(1, int(self.held_out * len(lessons)))
        order = np.random.default_rng(seed).permutation(len(lessons))
        learnt = [lessons[at] for at in order[aside:]] or lessons
        weights = self._imitated(learnt, seed)
        watched = [tasks[at].instance for at in order[:aside]]
        kept = _Kept(watched, _arrays(weights))
        refine(weights, [tasks[at].instance for at in order[aside:]], self.refinements, seed, kept.look)
        card = {
            "solver": "imitation",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "seed": seed,
            "cpu_s": round(time.process_time() - clock, 1),
            "config": self.config,
            "metrics": {
                "instances": len(tasks),
                **_metrics(kept.weights, [lessons[at] for at in order[:aside]]),
                **kept.said,
            },
            "trained_on": sorted({fingerprint(task.instance) for task in tasks}),
        }
        return Imitation(kept.weights, card)

    def _imitated(self, lessons: Sequence[Lesson], seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        weights = {name: torch.nn.Parameter(_initial(shape)) for name, shape in shapes().items()}
        steps = self.epochs * -(-len(lessons) // self.batch)
        optimiser = torch.optim.Adam(weights.values(), lr=self.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.rate, total_steps=steps)
        for _ in range(self.epochs):
            order = rng.permutation(len(lessons))
            for at in range(0, len(order), self.batch):
                batch = _joined([lessons[i] for i in order[at : at + self.batch]])
                loss = _loss(weights, batch)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
                optimiser.step()
                schedule.step()
        return weights


class _Kept:
    """The weights whose plans took the least time on instances that are not learnt from."""

    def __init__(self, instances: Sequence[PlacementInstance], weights: dict[str, Any]) -> None:
        self._instances = instances
        self.weights, self._best = weights, self._judge(weights)
        self.said = {"imitated_to_heft": round(self._best, 4), "refined_to_heft": round(self._best, 4)}

    def look(self, weights: Any) -> None:
        now = _arrays(weights)
        ratio = self._judge(now)
        if ratio < self._best:
            self.weights, self._best = now, ratio
            self.said["refined_to_heft"] = round(ratio, 4)

    def _judge(self, weights: dict[str, Any]) -> float:
        """Geometric mean of step time / HEFT's."""
        log = []
        for instance in self._instances:
            ready = prepare(instance)
            plan = best_plan(instance, ready, Imitation(weights).guide(instance, ready))
            heft = constructed(instance, ready, 0)[0]
            log.append(np.log(simulated(instance, ready, plan) / simulated(instance, ready, heft)))
        return float(np.exp(np.mean(log)))


@dataclass(frozen=True, eq=False)
class _Batch:
    node: Tensor
    edge: Tensor
    source: Tensor
    target: Tensor
    together: Tensor
    start: Tensor
    weight: Tensor  # (edges,) every graph as much as any other; in it, half by transfer times


def _joined(lessons: Sequence[Lesson]) -> _Batch:
    first = np.cumsum([0, *(len(one.features.node) for one in lessons)])

    def floats(parts: Sequence[Any]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    return _Batch(
        floats([one.features.node for one in lessons]),
        floats([one.features.edge for one in lessons]),
        torch.from_numpy(np.concatenate([one.features.source + at for one, at in zip(lessons, first, strict=False)])),
        torch.from_numpy(np.concatenate([one.features.target + at for one, at in zip(lessons, first, strict=False)])),
        floats([one.together for one in lessons]),
        floats([one.start for one in lessons]),
        floats([_importance(one) for one in lessons]),
    )


def _importance(one: Lesson) -> Any:
    seconds = one.features.seconds
    even = np.full(len(seconds), 1.0 / max(1, len(seconds)))
    return (even + seconds / max(float(seconds.sum()), 1e-300)) / 2


def _loss(weights: Any, b: _Batch) -> Tensor:
    together, start = torch_forward(weights, b.node, b.edge, b.source, b.target)
    ties = torch.nn.functional.binary_cross_entropy_with_logits(together, b.together, b.weight, reduction="sum")
    ordered = ~torch.isnan(b.start)
    late = (start[ordered] - b.start[ordered]).square().mean() if bool(ordered.any()) else start.sum() * 0
    return ties / b.weight.sum() + 3 * late


def _metrics(weights: Any, lessons: Sequence[Lesson]) -> dict[str, float]:
    """On instances that were not learnt from."""
    from .network import forward

    right, always = [], []
    for one in lessons:
        together, _ = forward(weights, one.features)
        importance = _importance(one)
        right.append(float(((together > 0) == (one.together > 0.5)) @ importance))
        always.append(max(float((one.together > 0.5) @ importance), float((one.together <= 0.5) @ importance)))
    return {"ties_right": round(float(np.mean(right)), 4), "ties_of_majority": round(float(np.mean(always)), 4)}


def _arrays(weights: Any) -> dict[str, Any]:
    return {name: value.detach().numpy().astype(np.float32) for name, value in weights.items()}


def _initial(shape: tuple[int, ...]) -> Tensor:
    if len(shape) == 1:
        return torch.zeros(shape)
    bound = (6.0 / sum(shape)) ** 0.5
    drawn: Tensor = torch.rand(shape) * 2 * bound - bound
    return drawn
