# SPDX-License-Identifier: Apache-2.0
"""How Decima learns: imitation of a rule, then policy gradient with an input-dependent baseline.

An iteration plays every chosen stream several times with equal task durations
(they depend on the seed, not on the policy), so that rollouts differ by their
choices alone; what a decision is credited with is its return-to-go above the
mean of the sibling rollouts at the same wall time (Mao et al. 2019, section
5.3). Endless streams are cut at a memoryless horizon that grows, and their
rewards are counted from the long-run average. Episodes are played by compiled
code in threads; torch only sees a recorded share of their decisions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.core.extras import need
from trimtab.kit.policy_gradient import (
    AverageRate,
    Ramp,
    clipped_surrogate,
    differential,
    memoryless_horizon,
    returns_to_go,
    time_aligned_baselines,
)

from ..problem import Floats, Ints, JobStream
from ..simulator import simulate, srpt
from ..simulator.decima import decima
from ..simulator.decima_record import Conduct, Episode, play
from ..simulator.policy import CompiledPolicy
from .decima_network import DecimaNetwork
from .decima_states import Decisions

if TYPE_CHECKING:
    import torch
else:
    torch = need("torch", extra="learn", purpose="training decima")


@dataclass(frozen=True)
class Settings:
    """All that training depends on besides its instances and its seed."""

    cpu_seconds: float = 1500.0
    imitation_rounds: int = 100  # 0: from scratch, as in the paper
    imitation_rate: float = 3e-3  # falls to where the learning rate starts
    streams: int = 2  # an iteration plays this many
    rollouts: int = 8  # of each
    kept: float = 0.25  # share of decisions that the gradient is estimated from
    epochs: int = 2
    minibatch: int = 1024  # decisions
    learning_rate: Ramp = field(default_factory=lambda: Ramp(1e-3, 2e-4, 800))
    clip: float = 0.2
    entropy: Ramp = field(default_factory=lambda: Ramp(0.02, 0.001, 400))
    horizon_s: Ramp = field(default_factory=lambda: Ramp(500.0, 3000.0, 400))  # streams only
    teacher: tuple[float, float] = (0.5, 0.5)  # srpt's scale and power
    check_every: int = 20  # iterations
    threads: int = 2


@dataclass(frozen=True)
class Progress:
    """One line of a training's log."""

    iteration: int  # 0: after imitation
    average_jct: float  # s, of the greedy policy on the held-out streams
    rule_jct: float  # s, of the teacher there
    cpu_s: float
    entropy: float

    def __str__(self) -> str:
        ratio = self.average_jct / self.rule_jct
        return (
            f"iteration {self.iteration}: held-out average JCT {self.average_jct:.2f} s, {ratio:.3f} x srpt's "
            f"{self.rule_jct:.2f} s; entropy {self.entropy:.2f}, {self.cpu_s:.0f} CPU s"
        )


class Training:
    """A network on its way, the best weights so far, and its log."""

    def __init__(
        self,
        streams: Sequence[JobStream],
        settings: Settings,
        seed: int,
        report: Callable[[Progress], Any],
        start: Floats | None = None,  # flat weights
    ) -> None:
        self.settings, self.log = settings, list[Progress]()
        self._rng, self._report = np.random.default_rng(seed), report
        held_out = max(1, len(streams) // 8) if len(streams) > 1 else 0
        self._streams, self._held_out = streams[held_out:], streams[: held_out or 1]
        self._teacher = srpt(*settings.teacher)
        self.rule_jct = _mean_jct(self._held_out, self._teacher)
        torch.manual_seed(seed)
        self.network = DecimaNetwork()
        if start is not None:
            self.network.set_flat(start)
        self._adam = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate.start)
        self.best = self.network.flat()
        self._rate = AverageRate(64)
        self._started = time.process_time()

    def run(self, wall_seconds: float = np.inf) -> Floats:
        """Train until the CPU seconds (or the wall seconds) are used up; the best weights, flat."""
        deadline = time.perf_counter() + wall_seconds
        with _one_torch_thread(), ThreadPoolExecutor(self.settings.threads) as pool:
            for guided in np.linspace(1.0, 0.0, self.settings.imitation_rounds):
                if not self._over(deadline):
                    self._imitate(pool, guided=float(guided))
            self._check(0, np.nan)
            iteration = 0
            while not self._over(deadline):
                iteration += 1
                entropy = self._improve(pool, iteration)
                if iteration % self.settings.check_every == 0:
                    self._check(iteration, entropy)
        return self.best

    def _over(self, deadline: float) -> bool:
        return self.cpu_s >= self.settings.cpu_seconds or time.perf_counter() >= deadline

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._started

    def _imitate(self, pool: ThreadPoolExecutor, *, guided: float) -> None:
        """Learn the teacher's choices in the states that a mixture of teacher and network meets (DAgger)."""
        settings = self.settings
        conduct = Conduct(0, min(1.0, 2 * settings.kept), guided, self._teacher.kind, self._teacher.parameters)
        episodes = self._play(pool, self._draw(8), 1, conduct, 1e3 * settings.horizon_s.stop)
        decisions = Decisions.of([episode.recording for _, _, episode in episodes])
        known = np.flatnonzero(decisions.rows["taught_candidate"] >= 0)
        self._set_rate(Ramp(settings.learning_rate.start, settings.imitation_rate, 1)(guided))
        for which in self._minibatches(known, 128):
            log_probability, _ = self.network(*decisions.batch(which, taught=True))
            self._step(-log_probability.mean())

    def _improve(self, pool: ThreadPoolExecutor, iteration: int) -> float:
        """One iteration of policy gradient; the mean entropy of its decisions, NaN where there were none."""
        settings = self.settings
        horizon_ms = 1e3 * memoryless_horizon(self._rng, settings.horizon_s(iteration))
        conduct = Conduct(0, settings.kept, 0.0, 0, np.zeros(2))
        played = self._play(pool, self._draw(settings.streams), settings.rollouts, conduct, horizon_ms)
        decisions = Decisions.of([episode.recording for _, _, episode in played])
        if len(decisions.rows) == 0:  # the horizon came before the first job
            return np.nan
        advantage = torch.from_numpy(self._advantages(played).astype(np.float32))
        everything = np.arange(len(decisions.rows))
        with torch.no_grad():
            parts = [self.network(*decisions.batch(w)) for w in _split(everything, settings.minibatch)]
        before, entropy = (torch.cat([part[k] for part in parts]) for k in (0, 1))
        weight = settings.entropy(iteration)
        self._set_rate(settings.learning_rate(iteration))
        for _ in range(settings.epochs):
            for which in self._minibatches(everything, settings.minibatch):
                log_probability, uncertain = self.network(*decisions.batch(which))
                gain = clipped_surrogate(log_probability - before[which], advantage[which], settings.clip)
                self._step(-(gain + weight * uncertain).mean())
        return float(entropy.mean())

    def _advantages(self, played: Sequence[tuple[int, JobStream, Episode]]) -> Floats:
        """Of the recorded decisions, scaled to unit variance in each stream: no workload outweighs the others."""
        parts: list[Floats] = []
        for group in range(0, len(played), self.settings.rollouts):
            siblings = [(stream, episode) for _, stream, episode in played[group : group + self.settings.rollouts]]
            returns = [self._returns(stream, episode) for stream, episode in siblings]
            times = [np.append(episode.recording.time_ms, episode.end_ms) for _, episode in siblings]
            above = [g - b for g, b in zip(returns, time_aligned_baselines(times, returns), strict=True)]
            spread = np.concatenate(above).std() + 1e-9
            kept = [episode.recording.decisions["decision"] for _, episode in siblings]
            parts += [a[which] / spread for a, which in zip(above, kept, strict=True)]
        return np.concatenate(parts)

    def _returns(self, stream: JobStream, episode: Episode) -> Floats:
        """Minus the job-seconds still to come at each decision, and at the end.  (decisions + 1,)"""
        at = np.append(episode.recording.time_ms, episode.end_ms)
        rewards, durations = -np.diff(job_milliseconds(stream, episode, at)) / 1000, np.diff(at) / 1000
        if stream.arrival_ms[-1] > 0:
            self._rate.add(float(rewards.sum()), float(durations.sum()))
            rewards = differential(rewards, durations, self._rate.value)
        return np.append(returns_to_go(rewards), 0.0)

    def _play(
        self,
        pool: ThreadPoolExecutor,
        streams: Sequence[JobStream],
        rollouts: int,
        conduct: Conduct,
        horizon_ms: float,
    ) -> list[tuple[int, JobStream, Episode]]:
        """Rollouts of each stream, grouped by stream; those of a stream share their durations and horizon."""
        weights = self.network.flat()

        def one(job: tuple[int, JobStream, int]) -> tuple[int, JobStream, Episode]:
            luck, stream, seed = job
            horizon = horizon_ms if stream.arrival_ms[-1] > 0 else np.inf
            episode = play(stream, weights, conduct._replace(seed=luck), seed=seed, horizon_ms=horizon)
            return luck, stream, episode

        seeds = self._rng.integers(1 << 40, size=len(streams)).tolist()
        jobs = [(stream, seed) for stream, seed in zip(streams, seeds, strict=True) for _ in range(rollouts)]
        lucks = self._rng.integers(1 << 40, size=len(jobs)).tolist()
        return list(pool.map(one, [(luck, *job) for luck, job in zip(lucks, jobs, strict=True)]))

    def _draw(self, count: int) -> list[JobStream]:
        return [self._streams[i] for i in self._rng.integers(len(self._streams), size=count)]

    def _minibatches(self, which: Ints, size: int) -> Iterator[Ints]:
        return _split(self._rng.permutation(which), size)

    def _set_rate(self, rate: float) -> None:
        for group in self._adam.param_groups:
            group["lr"] = rate

    def _step(self, loss: torch.Tensor) -> None:
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._adam.step()

    def _check(self, iteration: int, entropy: float) -> None:
        """Greedy play on the held-out streams; keeps the weights if they are the best so far."""
        weights = self.network.flat()
        jct = _mean_jct(self._held_out, decima(weights))
        if not self.log or jct < min(line.average_jct for line in self.log):
            self.best = weights
        self.log.append(Progress(iteration, jct, self.rule_jct, self.cpu_s, entropy))
        self._report(self.log[-1])


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """The network is too small for more, and sums in a fixed order make a training repeatable."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def job_milliseconds(stream: JobStream, episode: Episode, at_ms: Floats) -> Floats:
    """Time that jobs have spent in the system until each of some moments, summed over jobs.  (moments,)"""
    arrived, done = stream.arrival_ms, np.sort(episode.done_ms[~np.isnan(episode.done_ms)])

    def since(events: Floats) -> Floats:
        count = np.searchsorted(events, at_ms, side="right")
        return count * at_ms - np.concatenate(([0.0], np.cumsum(events)))[count]

    return since(arrived) - since(done)


def _mean_jct(streams: Sequence[JobStream], policy: CompiledPolicy) -> float:
    """Geometric over streams, so that no workload outweighs the others.  s"""
    means = [simulate(stream, policy, seed=i).metrics["average_jct"] for i, stream in enumerate(streams)]
    return float(np.exp(np.mean(np.log(means))))


def _split(which: Ints, size: int) -> Iterator[Ints]:
    parts = max(1, round(len(which) / size))
    return iter(np.array_split(which, parts))
