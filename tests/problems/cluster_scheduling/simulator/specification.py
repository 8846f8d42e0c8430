# SPDX-License-Identifier: Apache-2.0
"""Decima's cluster as plainly as Python can say it: slow, nothing kept that can be counted anew.

The engine is tested against this. It was written from the rules, not from the
engine's code; of the package it uses the types alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from trimtab.problems.cluster_scheduling.problem import FIRST, FRESH, REST, JobProfile, JobStream

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
TASK, JOB, EXECUTOR = range(3)

Stage = tuple[int, int]  # job in the stream, stage in the job
Choose = Callable[["Specification", list[Stage], int], tuple[Stage | None, int]]


class Stalled(Exception):
    pass


def mix(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def task_word(seed: int, job: int, stage: int, task: int) -> int:
    key = mix((seed + GOLDEN) & WORD)
    for number in (job, stage, task + 1):
        key = mix((key + number * GOLDEN) & WORD)
    return key


def duration(profile: JobProfile, stage: int, wave: int, executors: int, word: int, warmup: float) -> float:
    """Which list to draw from, and the draw."""
    levels = [int(level) for level in profile.levels]
    below = max([i for i, level in enumerate(levels) if level <= executors], default=0)
    chosen = below
    if levels[below] < executors and below + 1 < len(levels):
        gap = levels[below + 1] - levels[below]
        if ((word >> 32) * gap) >> 32 >= executors - levels[below]:
            chosen = below + 1
    lists = [
        [profile.durations[a:b] for a, b in profile.offsets[stage, level]] for level in range(len(levels))
    ]  # by level and wave
    if not any(len(x) for x in lists[chosen]):
        chosen = max(level for level in range(len(levels)) if any(len(x) for x in lists[level]))
    late = 0.0
    order = {FRESH: (FRESH, FIRST, REST), FIRST: (FIRST, FRESH, REST), REST: (REST, FIRST, FRESH)}[wave]
    found = next(w for w in order if len(lists[chosen][w]))
    if wave == FRESH and found != FRESH:
        late = warmup
    among = lists[chosen][found]
    return float(among[((word & 0xFFFFFFFF) * len(among)) >> 32]) + late


class Specification:
    def __init__(self, stream: JobStream, seed: int, choose: Choose) -> None:
        self.stream, self.seed, self.choose = stream, seed, choose
        self.now = 0.0
        self.queue: list[tuple[float, int, int, int]] = []  # time, turn, kind, number
        self.turn = 0
        self.jobs: list[int] = []  # in the system, by arrival
        self.started: dict[Stage, int] = {}
        self.finished: dict[Stage, int] = {}
        self.frontier: dict[int, list[int]] = {}  # by job: stages in the order in which they became runnable
        self.free: dict[int | None, list[int]] = {None: list(range(stream.num_executors))}
        self.job_of: dict[int, int | None] = dict.fromkeys(self.free[None])
        self.stage_of: dict[int, int | None] = dict.fromkeys(self.free[None])
        self.task_of: dict[int, int] = {}
        self.destination: dict[int, Stage | None] = {}  # of moving executors
        self.promises: dict[Any, list[tuple[Stage | None, int]]] = {}  # by source: a stage, a job or None
        self.selected: set[Stage] = set()
        self.done: dict[int, float] = {}
        self.log: list[tuple[float, int, int, int, int, int]] = []
        for job, at in enumerate(stream.arrival_ms):
            if at == 0:
                self.arrive(job)
            else:
                self.push(float(at), JOB, job)

    # what is asked of the state

    def profile(self, job: int) -> JobProfile:
        return self.stream.profiles[self.stream.jobs[job]]

    def parents(self, stage: Stage) -> list[Stage]:
        return [(stage[0], int(a)) for a, b in self.profile(stage[0]).edges if b == stage[1]]

    def left(self, stage: Stage) -> int:
        """Tasks that nobody is meant to run yet."""
        promised = sum(n for targets in self.promises.values() for s, n in targets if s == stage)
        moving = sum(s == stage for s in self.destination.values())
        return int(self.profile(stage[0]).num_tasks[stage[1]]) - self.started[stage] - promised - moving

    def candidates(self) -> list[Stage]:
        stages = [(job, s) for job in self.jobs for s in range(self.profile(job).num_stages)]
        return [
            s
            for s in stages
            if s not in self.selected and self.left(s) > 0 and all(self.left(p) <= 0 for p in self.parents(s))
        ]

    def exhausted(self, stage: Stage) -> bool:
        return self.started[stage] >= self.profile(stage[0]).num_tasks[stage[1]]

    def executors(self, job: int) -> int:
        return sum(j == job for j in self.job_of.values())

    # what happens

    def run(self) -> None:
        self.consult(None, self.free[None][:], len(self.free[None]))
        while self.queue:
            self.now, _, kind, number = heapq.heappop(self.queue)
            if kind == JOB:
                self.log.append((self.now, JOB, number, -1, -1, -1))
                self.arrive(number)
                self.consult(None, self.free[None][:], len(self.free[None]))
            elif kind == EXECUTOR:
                self.reach(number)
            else:
                self.finish(number)
        if self.jobs:
            raise Stalled

    def consult(self, source: Any, ready: list[int], waiting: int) -> None:
        """A round: promise every waiting executor of the source, then send off those that are ready."""
        while waiting > 0:
            choice = self.candidates()
            stage, limit = self.choose(self, choice, waiting) if choice else (None, waiting)
            count = waiting if stage is None else min(limit, self.left(stage), waiting)
            self.promises.setdefault(source, []).append((stage, count))
            waiting -= count
            if stage is not None:
                self.selected.add(stage)
        self.selected.clear()
        for executor in ready:
            if self.promises.get(source):
                self.fulfil(source, executor)

    def fulfil(self, source: Any, executor: int) -> None:
        stage, count = self.promises[source].pop(0)
        if count > 1:
            self.promises[source].insert(0, (stage, count - 1))
        job = self.job_of[executor]
        if executor in self.free[job]:
            self.free[job].remove(executor)
        if stage is None:
            unstarted = job is not None and any(
                not self.exhausted((job, s)) for s in range(self.profile(job).num_stages)
            )
            self.rest(executor, job if unstarted else None)
        elif self.exhausted(stage):
            self.take_anything(executor)
        elif job != stage[0]:
            self.move(executor, stage)
        elif stage[1] in self.frontier[stage[0]]:
            self.start(executor, stage)
        else:
            self.rest(executor, job)

    def rest(self, executor: int, job: int | None) -> None:
        self.job_of[executor], self.stage_of[executor] = job, None
        self.free[job].append(executor)

    def take_anything(self, executor: int) -> None:
        job = self.job_of[executor]
        for s in self.frontier[job] if job is not None else ():
            if self.left((job, s)) > 0:
                self.start(executor, (job, s))
                return
        choice = self.candidates()
        if choice:
            self.move(executor, choice[0])
        else:
            self.rest(executor, job)

    def move(self, executor: int, stage: Stage) -> None:
        self.job_of[executor] = self.stage_of[executor] = None
        self.destination[executor] = stage
        self.push(self.now + self.stream.moving_delay_ms, EXECUTOR, executor)

    def start(self, executor: int, stage: Stage) -> None:
        job, s = stage
        before = self.stage_of[executor]
        wave = FRESH if before is None else REST if before == s else FIRST
        task = self.started[stage]
        word = task_word(self.seed, job, s, task)
        takes = duration(self.profile(job), s, wave, self.executors(job), word, self.stream.warmup_delay_ms)
        self.stage_of[executor], self.task_of[executor] = s, task
        self.started[stage] += 1
        if self.exhausted(stage):
            self.frontier[job].remove(s)
        self.push(self.now + takes, TASK, executor)

    def reach(self, executor: int) -> None:
        stage = self.destination.pop(executor)
        where = stage if stage is not None else (-1, -1)
        self.log.append((self.now, EXECUTOR, *where, -1, executor))
        if stage is None:
            self.take_anything(executor)
            return
        self.job_of[executor] = stage[0]
        if self.exhausted(stage):
            self.take_anything(executor)
        elif stage[1] in self.frontier[stage[0]]:
            self.start(executor, stage)
        else:
            self.rest(executor, stage[0])

    def finish(self, executor: int) -> None:
        job, s = self.job_of[executor], self.stage_of[executor]
        assert job is not None and s is not None
        stage = (job, s)
        self.log.append((self.now, TASK, job, s, self.task_of[executor], executor))
        self.finished[stage] += 1
        if not self.exhausted(stage):
            self.start(executor, stage)
            return
        opened = self.open_children(stage) if self.is_finished(stage) else False
        promised = bool(self.promises.get(stage))
        if promised:
            self.fulfil(stage, executor)
        if opened:
            if not promised:
                self.rest(executor, job)
            self.consult(("job", job), self.free[job][:], len(self.free[job]))
        elif all(self.is_finished((job, i)) for i in range(self.profile(job).num_stages)):
            self.leave(job)
            if not promised:  # it belongs to nobody now, but waits in no pool
                self.consult(None, [executor], 1)
        elif not promised:
            there = [e for e, j in self.job_of.items() if j == job and self.stage_of[e] == s]
            self.consult(stage, [executor], len(there))

    def is_finished(self, stage: Stage) -> bool:
        return bool(self.finished[stage] == self.profile(stage[0]).num_tasks[stage[1]])

    def open_children(self, stage: Stage) -> bool:
        children = sorted({int(b) for a, b in self.profile(stage[0]).edges if a == stage[1]})
        opened = [c for c in children if all(self.is_finished(p) for p in self.parents((stage[0], c)))]
        self.frontier[stage[0]] += opened
        return bool(opened)

    def arrive(self, job: int) -> None:
        self.jobs.append(job)
        self.free[job] = []
        for s in range(self.profile(job).num_stages):
            self.started[job, s] = self.finished[job, s] = 0
        self.frontier[job] = [s for s in range(self.profile(job).num_stages) if not self.parents((job, s))]

    def leave(self, job: int) -> None:
        self.done[job] = self.now
        self.jobs.remove(job)
        for source, targets in self.promises.items():
            self.promises[source] = [(s, n) for s, n in targets if s is None or s[0] != job]
        for executor, stage in self.destination.items():
            if stage is not None and stage[0] == job:
                self.destination[executor] = None
        self.free[None] += self.free.pop(job)
        for executor, j in self.job_of.items():
            if j == job:
                self.job_of[executor] = self.stage_of[executor] = None

    def push(self, time: float, kind: int, number: int) -> None:
        heapq.heappush(self.queue, (time, self.turn, kind, number))
        self.turn += 1
