# SPDX-License-Identifier: Apache-2.0
"""The same order of Spark jobs and stages for every run of a query.

Spark numbers the stages of concurrent broadcasts as it happens. So stages are
ordered by what they are: a colour made of their depth, their operators and number of
tasks, and the colours above and below them (the refinement of Weisfeiler and Leman,
along the edges of the DAG).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trimtab.core.errors import InvalidInstance

from .spark_runs import Run, SparkJob, Stage


@dataclass(frozen=True)
class Shape:
    """A run in that order."""

    run: Run
    local: bool  # in local mode?

    @cached_property
    def jobs(self) -> list[tuple[SparkJob, list[Stage]]]:
        """Spark jobs that ran something, with their stages."""
        ranked = []
        for job in self.run.jobs:
            if job.stages:
                stages = sorted(job.stages, key=lambda stage: (self._colours[stage.id], stage.id))
                ranked.append(
                    ("".join(self._colours[stage.id] for stage in stages), job.submitted, job.id, job, stages)
                )
        return [(job, stages) for *_, job, stages in sorted(ranked, key=lambda entry: entry[:3])]

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """Equal for runs of the same DAG."""
        return tuple(self._colours[stage.id] for _, stages in self.jobs for stage in stages)

    @cached_property
    def parents(self) -> dict[int, list[int]]:
        """Of each stage that ran: its parents that ran in this run, by Spark's numbers."""
        return {at: sorted(set(stage.parents) & self._stages.keys()) for at, stage in self._stages.items()}

    @cached_property
    def _stages(self) -> dict[int, Stage]:
        return {stage.id: stage for job in self.run.jobs for stage in job.stages}

    @cached_property
    def _colours(self) -> dict[int, str]:
        children: dict[int, list[int]] = {at: [] for at in self._stages}
        for child, parents in self.parents.items():
            for parent in parents:
                children[parent].append(child)
        order = self._order(children)
        own = {at: f"{stage.num_tasks} {stage.operators}" for at, stage in self._stages.items()}
        depth: dict[int, int] = {}
        for at in order:
            depth[at] = 1 + max((depth[parent] for parent in self.parents[at]), default=0)
        above, below = _refined(own, order, self.parents), _refined(own, reversed(order), children)
        return {at: f"{depth[at]:08d}{above[at]}{below[at]}" for at in order}

    def _order(self, children: Mapping[int, Sequence[int]]) -> list[int]:
        """Parents before children."""
        waiting = {at: len(parents) for at, parents in self.parents.items()}
        order = [at for at, count in waiting.items() if count == 0]
        for at in order:  # grows while it is walked
            for child in children[at]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    order.append(child)
        if len(order) < len(waiting):
            stuck = sorted(at for at, count in waiting.items() if count)
            raise InvalidInstance(f"job {self.run.name!r}, field 'Parent IDs': stages {stuck} form a cycle")
        return order


def _refined(own: Mapping[int, str], order: Iterable[int], towards: Mapping[int, Sequence[int]]) -> dict[int, str]:
    """What each stage is, and what all those are that it comes from."""
    colours: dict[int, str] = {}
    for at in order:
        text = "|".join((own[at], *sorted(colours[other] for other in towards[at])))
        colours[at] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return colours
