# SPDX-License-Identifier: Apache-2.0
"""Is our cluster Decima's, event for event?

Plays the same jobs, with the same arrival and duration draws, in the reference
simulator (a checkout of hongzimao/decima-sim) and in ours, and compares the
traces: time, kind, job, stage, task, executor of every event. Durations in the
reference come from our counter-based draws; nothing else of it is replaced but
the generation of jobs.

    python benchmarks/cluster_scheduling_parity.py --reference PATH [--quick]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import MissingData
from trimtab.problems.cluster_scheduling.problem import WAVES, JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import (
    CompiledPolicy,
    fair,
    fifo,
    random,
    simulate,
    sjf_cp,
    weighted_fair,
)
from trimtab.problems.cluster_scheduling.simulator.draws import lower, mix, stage_key, task_word, upper
from trimtab.problems.cluster_scheduling.simulator.made import made_stream
from trimtab.problems.cluster_scheduling.simulator.state import EXECUTOR_ARRIVED, JOB_ARRIVED, TASK_DONE
from trimtab.problems.cluster_scheduling.simulator.tables import critical_path_s
from trimtab.problems.cluster_scheduling.simulator.traces import digest, rows

EPISODES = 240
REFERENCE_KEYS = ("fresh_durations", "first_wave", "rest_wave")  # in the order of WAVES


class Draws:
    """Stands in for the reference's random generators while one task is scheduled."""

    def __init__(self) -> None:
        self.word = np.uint64(0)

    def randint(self, low: int, high: int | None = None) -> int:
        if high is None:
            return int(lower(self.word, low))  # np.random.randint(len(list)): which duration
        return low + int(upper(self.word, high - low))  # np_random.randint(1, gap + 1): which level


class Reference:
    """The reference simulator, fed with our jobs and our draws."""

    def __init__(self, path: Path, *, named_draws: bool = True) -> None:
        sys.path.insert(0, str(path))
        sys.argv = sys.argv[:1]  # param.py reads the command line at import
        self.args: Any = importlib.import_module("param").args
        self.env: Any = importlib.import_module("spark_env.env")
        self.node: Any = importlib.import_module("spark_env.node")
        self.task: Any = importlib.import_module("spark_env.task")
        self.job_dag: Any = importlib.import_module("spark_env.job_dag")
        self.heuristic: Any = importlib.import_module("heuristic_agent")
        self.spark: Any = importlib.import_module("spark_agent")
        self.ordered_set: Any = importlib.import_module("utils").OrderedSet
        self.draws: Any = Draws() if named_draws else np.random.RandomState(0)
        if named_draws:
            self._replace_draws()

    def _replace_draws(self) -> None:
        schedule, draws = self.node.Node.schedule, self.draws

        def with_named_draws(node: Any, executor: Any) -> Any:
            draws.word = np.uint64(task_word(np.uint64(node.key), node.next_task_idx))
            return schedule(node, executor)

        self.node.Node.schedule = with_named_draws
        self.node.np = types.SimpleNamespace(inf=np.inf, random=draws)

    def play(self, stream: JobStream, agent: Any, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The trace (events, 6), and when each job was done (jobs,)."""
        env, jobs = self.reset(stream, seed)
        events = self._record(env)
        self.run(env, agent)
        return np.array(events, np.float64).reshape(-1, 6), np.array([job.completion_time for job in jobs])

    def run(self, env: Any, agent: Any) -> None:
        observation, done = env.observe(), False
        while not done:
            stage, limit = agent.get_action(observation)
            observation, _, done = env.step(stage, limit)

    def reset(self, stream: JobStream, seed: int) -> tuple[Any, list[Any]]:
        """The environment with the stream's jobs in it, and these."""
        self.args.exec_cap = stream.num_executors
        self.args.moving_delay, self.args.warmup_delay = stream.moving_delay_ms, stream.warmup_delay_ms
        jobs: list[Any] = []

        def generate_jobs(np_random: Any, timeline: Any, wall_time: Any) -> Any:
            waiting = self.ordered_set()
            for index, (kind, arrival) in enumerate(zip(stream.jobs, stream.arrival_ms, strict=True)):
                job = self._job(stream.profiles[kind], index, seed, wall_time)
                job.start_time = float(arrival)
                jobs.append(job)
                if arrival == 0:
                    job.arrived = True
                    waiting.add(job)
                else:
                    timeline.push(job.start_time, job)
            return waiting

        self.env.generate_jobs = generate_jobs
        env = self.env.Environment()
        env.reset()
        return env, jobs

    def _job(self, profile: JobProfile, index: int, seed: int, wall_time: Any) -> Any:
        self.args.executor_data_point = profile.levels.tolist()
        mean = profile.mean_duration_ms
        path = critical_path_s(profile)
        nodes = []
        for s in range(profile.num_stages):
            tasks = [self.task.Task(t, mean[s], wall_time) for t in range(profile.num_tasks[s])]
            node = self.node.Node(s, tasks, _durations(profile, s), wall_time, self.draws)
            node.key, node.path = int(stage_key(seed, index, s)), path[s]
            nodes.append(node)
        adjacent = np.zeros((len(nodes), len(nodes)))
        for parent, child in sorted({(int(a), int(b)) for a, b in profile.edges}):
            adjacent[parent, child] = 1
            nodes[parent].child_nodes.append(nodes[child])
            nodes[child].parent_nodes.append(nodes[parent])
        job = self.job_dag.JobDAG(nodes, adjacent, profile.name)
        job.index, job.work = index, profile.work_s
        return job

    def _record(self, env: Any) -> list[tuple[float, ...]]:
        events: list[tuple[float, ...]] = []
        pop = env.timeline.pop

        def recording() -> Any:
            time, item = pop()
            if isinstance(item, self.task.Task):
                where = (item.node.job_dag.index, item.node.idx, item.idx, item.executor.idx)
                events.append((time, TASK_DONE, *where))
            elif isinstance(item, self.job_dag.JobDAG):
                events.append((time, JOB_ARRIVED, item.index, -1, -1, -1))
            else:
                node = env.moving_executors.moving_executors.get(item)
                job, stage = (node.job_dag.index, node.idx) if node is not None else (-1, -1)
                events.append((time, EXECUTOR_ARRIVED, job, stage, -1, item.idx))
            return time, item

        env.timeline.pop = recording
        return events


def _durations(profile: JobProfile, stage: int) -> dict[str, dict[int, list[float]]]:
    """One stage in the reference's format; a level without any measurement has no key."""
    found: dict[str, dict[int, list[float]]] = {key: {} for key in REFERENCE_KEYS}
    for level, ranges in zip(profile.levels, profile.offsets[stage], strict=True):
        if (ranges[:, 1] > ranges[:, 0]).any():
            for wave in range(len(WAVES)):
                start, stop = ranges[wave]
                found[REFERENCE_KEYS[wave]][int(level)] = profile.durations[start:stop].tolist()
    return found


# Agents, in the reference's terms, where it has none.


class ShortestJobFirst:
    """The least total work first; in it, runnable stages before others, then by critical path.

    Equal paths: the stage that became runnable first; of those that are not, the one with the lowest number.
    """

    def get_action(self, obs: Any) -> tuple[Any, int]:
        _, _, num_source, candidates, _, _, _, _ = obs

        def rank(node: Any) -> tuple[Any, ...]:
            ready = list(node.job_dag.frontier_nodes)
            place = ready.index(node) if node in ready else node.idx
            return -node.job_dag.work, -node.job_dag.index, node in ready, node.path, -place

        return max(candidates, key=rank, default=None), num_source


class WeightedFair:
    """DynamicPartitionAgent with shares in proportion to work^alpha."""

    def __init__(self, alpha: float, num_executors: int) -> None:
        self.alpha, self.num_executors = alpha, num_executors

    def get_action(self, obs: Any) -> tuple[Any, int]:
        jobs, source, num_source, candidates, _, commits, moving, _ = obs

        def left(node: Any) -> int:
            return int(node.num_tasks - node.next_task_idx - commits.node_commit[node] - moving.count(node))

        def pick(job: Any) -> Any:
            ready = [node for node in job.frontier_nodes if node in candidates]
            return next(iter(ready or [node for node in candidates if node.job_dag == job]), None)

        if source is not None and (node := pick(source)) is not None:
            return node, num_source
        weight = {job: job.work**self.alpha for job in jobs}
        total = sum(weight[job] for job in jobs if any(left(node) > 0 for node in job.nodes))
        held = {job: len(job.executors) for job in jobs}
        for node in moving.moving_executors.values():
            held[node.job_dag] += 1
        for origin, targets in commits.commit.items():
            home = getattr(origin, "job_dag", origin)
            for node, count in targets.items():
                if node is not None and node.job_dag != home:
                    held[node.job_dag] += count
        for job in jobs:
            if (node := pick(job)) is not None:
                cap = int(np.ceil(self.num_executors * weight[job] / total))
                if held[job] < cap:
                    return node, min(left(node), cap - held[job], num_source)
        return None, num_source


class AnyStage:
    """Any candidate, any limit, by the draws of our rule `random`."""

    def __init__(self, seed: int) -> None:
        self.seed, self.decisions = np.uint64(seed), 0

    def get_action(self, obs: Any) -> tuple[Any, int]:
        _, _, num_source, candidates, _, _, _, _ = obs
        nodes = list(candidates)
        if not nodes:
            return None, num_source
        self.decisions += 1
        word = np.uint64(mix(self.seed ^ np.uint64(mix(np.uint64(self.decisions)))))
        return nodes[int(upper(word, len(nodes)))], 1 + int(upper(np.uint64(mix(word)), num_source))


def agents(reference: Reference, stream: JobStream, seed: int) -> Iterator[tuple[CompiledPolicy, Any]]:
    yield fifo(), reference.spark.SparkAgent(exec_cap=stream.num_executors)
    yield sjf_cp(), ShortestJobFirst()
    yield fair(), reference.heuristic.DynamicPartitionAgent()
    for alpha in (-1.0, 0.5):
        yield weighted_fair(alpha), WeightedFair(alpha, stream.num_executors)
    yield random(), AnyStage(seed)


@dataclass
class Tally:
    episodes: int = 0
    events: int = 0
    different: int = 0


def compare(reference: Reference, streams: Sequence[JobStream]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for seed, stream in enumerate(streams):
        for policy, agent in agents(reference, stream, seed):
            name = policy.name + (f"({policy.parameters[0]:g})" if policy.name == "weighted_fair" else "")
            theirs, their_done = reference.play(stream, agent, seed)
            ours = simulate(stream, policy, seed=seed, trace=True)
            trace = rows(ours)
            tally = tallies.setdefault(name, Tally())
            tally.episodes += 1
            tally.events += len(theirs)
            if not (np.array_equal(trace, theirs) and np.array_equal(ours.done_ms, their_done)):
                tally.different += 1
                _explain(name, seed, trace, theirs)
    return tallies


def _explain(name: str, seed: int, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> None:
    n = min(len(ours), len(theirs))
    at = next((i for i in range(n) if not np.array_equal(ours[i], theirs[i])), n)
    print(f"{name}, episode {seed}: event {at} differs (time, kind, job, stage, task, executor)")
    print("  ours     ", ours[at : at + 1].tolist(), "of", len(ours))
    print("  reference", theirs[at : at + 1].tolist(), "of", len(theirs))


def workload(episodes: int) -> list[JobStream]:
    """Made-up jobs in batches and streams on small clusters; Decima's own jobs where that data set is here."""
    streams = []
    for seed in range(episodes - episodes // 6):
        gap_ms = (0.0, 4000.0, 20000.0)[seed % 3]
        stream = made_stream(seed, jobs=3 + seed % 9, executors=1 + seed % 13, mean_gap_ms=gap_ms)
        # long ways too: jobs end while executors are on their way to them
        streams.append(replace(stream, moving_delay_ms=(2000.0, 0.0, 25000.0)[seed // 3 % 3]))
    try:
        from trimtab.problems.cluster_scheduling.workload.decima import profiles

        jobs = profiles((2, 5, 10, 20))
    except MissingData as error:
        print(f"made-up jobs only: {error}")
        return streams
    for seed in range(episodes // 6):
        rng = np.random.default_rng(seed)
        gaps = rng.exponential(8000.0, 10).astype(np.int64) * (seed % 2)
        executors = int(rng.choice([10, 25, 50]))
        streams.append(JobStream(jobs, rng.integers(len(jobs), size=10), np.cumsum(gaps).astype(float), executors))
    return streams


def golden(reference: Reference) -> dict[str, Any]:
    """Digests of the reference's traces of a few small episodes, for the tests to compare with."""
    episodes = []
    for seed in range(12):
        shape = {"jobs": 3 + seed % 4, "executors": 2 + seed % 6, "mean_gap_ms": 5000.0 * (seed % 2)}
        stream = made_stream(seed, **shape)  # type: ignore[arg-type]
        named = {f"{policy.name}{policy.parameters[0]:g}": agent for policy, agent in agents(reference, stream, seed)}
        name, agent = list(named.items())[seed % len(named)]
        if name == "weighted_fair0.5":
            name, agent = next(item for item in named.items() if item[0] == "weighted_fair-1")
        trace, done = reference.play(stream, agent, seed)
        episodes.append(
            {
                "policy": name.rstrip("-0123456789."),
                "seed": seed,
                "stream": shape,
                "input": digest(np.concatenate([p.durations for p in stream.profiles])),
                "jct_ms": (done - stream.arrival_ms).tolist(),
                "trace": digest(trace),
            }
        )
    return {"source": "hongzimao/decima-sim through benchmarks/cluster_scheduling_parity.py", "episodes": episodes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="checkout of hongzimao/decima-sim")
    parser.add_argument("--quick", action="store_true", help="24 episodes for each policy")
    parser.add_argument("--golden", type=Path, help="only write the tests' digests of the reference's traces here")
    options = parser.parse_args()
    if not (options.reference / "spark_env" / "env.py").is_file():
        parser.error(f"{options.reference} has no spark_env/env.py: it is no checkout of decima-sim")
    if options.golden:
        options.golden.write_text(json.dumps(golden(Reference(options.reference)), indent=1) + "\n")
        return 0
    streams = workload(24 if options.quick else EPISODES)
    tallies = compare(Reference(options.reference), streams)
    print(f"{'policy':22}{'episodes':>10}{'events':>12}{'different':>11}   target: 0 different")
    for name, tally in tallies.items():
        print(f"{name:22}{tally.episodes:10}{tally.events:12}{tally.different:11}")
    return 1 if any(tally.different for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
