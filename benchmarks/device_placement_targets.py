# SPDX-License-Identifier: Apache-2.0
"""device_placement against its targets: search, network, warm start, and the papers' networks.

    TRIMTAB_DATA=... python benchmarks/device_placement_targets.py [--quick] [--only six,unseen,warm,papers]
        [--log FILE.jsonl] [--stop-after S] [--workers N]

`six`: DOPPLER's sharded graphs with 1 s each, ratios to HEFT with insertion and to the
best known. `unseen`: the network alone on families that it has not seen. `warm`: the
same search cold and warm at equal wall time on such families, with a sign test.
`papers`: the networks of 2017, 2018 and 2019 and annealing at equal simulator calls.
`teachers` and `known` (only if asked): what CP-SAT adds to the searches that the network
learns from; long runs, for the best known values.
With `--log`, finished cells are kept and skipped, so that a long run can be cut into
pieces of `--stop-after` seconds. With `--workers`, cells of `six` and `warm` run in so
many processes, all cells that are compared with each other in the same one; set
OMP_NUM_THREADS=1, and give each a core.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.problem import Split
from trimtab.core.solver import Solver
from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement import PROBLEM
from trimtab.problems.device_placement.baselines import Heuristic, Search
from trimtab.problems.device_placement.baselines.common import decide, prepare
from trimtab.problems.device_placement.baselines.cp_sat import optimum
from trimtab.problems.device_placement.bounds import step_time_bound
from trimtab.problems.device_placement.learned import CriticalAnnealing, Imitation, KeptTies, PolicyGradient
from trimtab.problems.device_placement.learned.annealing import BEGINNINGS
from trimtab.problems.device_placement.learned.features import features
from trimtab.problems.device_placement.learned.teaching import Teacher
from trimtab.problems.device_placement.problem import LINKS, Placement, PlacementInstance
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.workload import SUITES, sharded

#: Step time over the lower bound: the least that anything found, with where it is from.
BEST_KNOWN: Final[Mapping[str, tuple[float, str]]] = {
    "chain_mm_112nodes": (1.0, "any search; the bound"),
    "ffnn_192nodes": (1.0, "any search; the bound"),
    "transformer_block_215nodes": (1.455, "CP-SAT 75 s, research notes"),
    "full_transformer_layer_261nodes": (1.189, "CP-SAT 75 s, research notes"),
    "8gpu_transformer_block": (1.7079, "imitation_annealing, 10 s"),
    "8gpu_full_transformer": (1.5877, "critical_annealing, 9 s; tie_annealing, 8 s"),
}
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")
WARM: Final = {0.01: 100, 0.1: 100, 1.0: 100, 10.0: 100}  # seconds -> instances
SEEDS: Final = (1, 2, 3)

Cells = dict[str, float]
Group = Sequence[tuple[str, Callable[[], float]]]  # cells that one process makes, one after the other


class Log:
    """Finished cells, on disk if asked."""

    def __init__(self, path: Path | None, stop_after: float, workers: int = 1) -> None:
        self.path, self.until, self.workers = path, time.perf_counter() + stop_after, workers
        self.times, self.public, self.first_seed = dict(WARM), True, 2000  # of `warm`
        rows = path.read_text().splitlines() if path and path.exists() else []
        self.cells: Cells = {row["cell"]: row["value"] for row in map(json.loads, rows)}

    def get(self, cell: str, make: Callable[[], float]) -> float:
        if cell not in self.cells:
            if time.perf_counter() > self.until:
                return math.nan
            self._keep(cell, make())
        return self.cells[cell]

    def fill(self, groups: Sequence[Group]) -> None:
        """Make what is missing, in processes that inherit what is compiled."""
        _AHEAD[:] = [[(cell, make) for cell, make in group if cell not in self.cells] for group in groups]
        if self.workers == 1:
            return  # `get` will
        with multiprocessing.get_context("fork").Pool(self.workers) as pool:
            for made in pool.imap_unordered(partial(_make, until=self.until), range(len(_AHEAD)), chunksize=1):
                for cell, value in made:
                    self._keep(cell, value)

    def _keep(self, cell: str, value: float) -> None:
        self.cells[cell] = value
        if self.path:
            with self.path.open("a") as file:
                file.write(json.dumps({"cell": cell, "value": value}) + "\n")


_AHEAD: list[Group] = []


def _make(at: int, until: float) -> list[tuple[str, float]]:
    return [(cell, make()) for cell, make in _AHEAD[at] if time.perf_counter() < until]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few cells of each part")
    parser.add_argument("--only", default="six,unseen,warm,papers", help="parts, with commas")
    parser.add_argument("--log", type=Path, help="JSONL of finished cells")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="s; begin no cell later than that")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--no-public", action="store_true", help="warm: generated graphs only, no data set needed")
    parser.add_argument("--times", help="warm: seconds and instances, such as 0.01:100,10:50")
    parser.add_argument("--first-seed", type=int, default=2000, help="warm: of the generated graphs")
    options = parser.parse_args()
    log = Log(options.log, options.stop_after, options.workers)
    log.public, log.first_seed = not options.no_public, options.first_seed
    if options.times:
        log.times = {float(t): int(n) for t, _, n in (part.partition(":") for part in options.times.split(","))}
    met = [PARTS[name](log, options.quick) for name in options.only.split(",")]
    return 0 if all(met) or options.quick else 1


def step(instance: PlacementInstance, placement: Placement) -> float:
    outcome = Simulator().evaluate(instance, placement, seed=0)
    if not outcome.feasible:
        raise RuntimeError(outcome.note)
    return outcome.metrics["step_time"]


def searched(
    instance: PlacementInstance, solver: Solver[PlacementInstance, Placement], budget: Budget, seed: int
) -> float:
    """Step time of what the solver finds, s."""
    return step(instance, solver.solve(Task(instance, Simulator(), budget, seed, "step_time")))


def at_once(instance: PlacementInstance, solver: Solver[PlacementInstance, Placement]) -> float:
    return searched(instance, solver, Budget(0), 0)


def doppler() -> dict[str, PlacementInstance]:
    every = {n: i for split in SPLITS for n, i in SUITES["doppler"](split).items()}
    return {name: every[name] for name in BEST_KNOWN}


def known(log: Log, quick: bool) -> bool:
    """What long searches find on DOPPLER's transformers: candidates for `BEST_KNOWN`."""
    warm_up()
    seconds, seeds = (0.5, SEEDS[:1]) if quick else (10.0, range(10, 18))
    graphs = {name: i for name, i in doppler().items() if i.graph.family == "transformer"}

    def run(name: str, begin: str, seed: int) -> tuple[str, Callable[[], float]]:
        cell = f"known/{name}/{begin}/{seconds}/{seed}"
        return cell, partial(searched, graphs[name], CriticalAnnealing(begin), Budget(seconds=seconds), seed)

    log.fill([[run(name, begin, seed)] for name in graphs for begin in ("ties", "network") for seed in seeds])
    print(f"\nknown: step time / lower bound, least of {len(seeds)} runs of {seconds:g} s")
    for name, instance in graphs.items():
        for begin in ("ties", "network"):
            least = np.nanmin([log.get(*run(name, begin, seed)) for seed in seeds]) / step_time_bound(instance)
            print(f"  {name:34s}{begin:10s}{least:8.4f}  (best known {BEST_KNOWN[name][0]:.4f})")
    return True


def geomean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def verdict(text: str, value: float, target: float) -> bool:
    print(f"  target: {text} <= {target}: {value:.3f}, {'met' if value <= target else 'NOT MET'}")
    return value <= target


def six(log: Log, quick: bool) -> bool:
    """The six graphs of DOPPLER's paper, priority queues, links that do not contend."""
    solvers: dict[str, Callable[[], Solver[PlacementInstance, Placement]]] = {
        "single moves": lambda: Search("walk", hot=0.01),
        "cold": CriticalAnnealing,
        "ties": lambda: CriticalAnnealing("ties"),
        "warm": lambda: CriticalAnnealing("network"),
    }
    warm_up()
    seconds, seeds = (0.1, SEEDS[:1]) if quick else (1.0, SEEDS)
    ratios: dict[str, list[float]] = {}
    slowest = 0.0
    print(f"\nsix: step time / lower bound; annealing with {seconds:g} s, mean of {len(seeds)} seeds")
    heads = ("best known", "HEFT", "kept ties", "network", *solvers)
    print(f"{'graph':34s}" + "".join(f"{head:>14s}" for head in heads))
    graphs = doppler()

    def run(name: str, label: str, seed: int) -> tuple[str, Callable[[], float]]:
        cell = f"six/{name}/{label}/{seconds}/{seed}"
        return cell, partial(searched, graphs[name], solvers[label](), Budget(seconds=seconds), seed)

    log.fill([[run(name, label, seed) for label in solvers] for name in graphs for seed in seeds])
    for name, instance in graphs.items():
        row = {
            "best known": BEST_KNOWN[name][0] * step_time_bound(instance),
            "HEFT": at_once(instance, Heuristic("heft")),
        }
        features.cache_clear()
        clock = time.perf_counter()
        row["network"] = at_once(instance, Imitation())
        slowest = max(slowest, time.perf_counter() - clock)
        row["kept ties"] = at_once(instance, KeptTies())
        for label in solvers:
            row[label] = float(np.mean([log.get(*run(name, label, seed)) for seed in seeds]))
        for label, value in row.items():
            ratios.setdefault(label, []).append(value / step_time_bound(instance))
        print(f"{name:34s}" + "".join(f"{ratios[head][-1]:14.4f}" for head in heads))
    mean = {label: geomean(values) for label, values in ratios.items()}
    print(f"{'geometric mean':34s}" + "".join(f"{mean[head]:14.4f}" for head in heads))
    good = []
    for label in ("cold", "warm"):
        good.append(verdict(f"{seconds:g} s, {label}, / HEFT with insertion", mean[label] / mean["HEFT"], 0.70))
        good.append(verdict(f"{seconds:g} s, {label}, / best known", mean[label] / mean["best known"], 1.05))
    good.append(verdict("network alone / HEFT with insertion", mean["network"] / mean["HEFT"], 0.85))
    good.append(verdict("network alone, slowest, ms", 1e3 * slowest, 50.0))
    return all(good)


def held_out(count: int, public: bool, seed: int) -> dict[str, PlacementInstance]:
    """DOPPLER's transformers, if asked, and generated graphs of families that were not trained on, up to 900 ops."""
    made = {name: i for name, i in doppler().items() if i.graph.family == "transformer"} if public else {}
    while len(made) < count:
        for instance in sharded.instances("test", 1, seed).values():
            if instance.graph.num_ops <= 900 and len(made) < count:
                made[instance.graph.name] = instance
        seed += 1
    return made


def unseen(log: Log, quick: bool) -> bool:
    """The network and its decoder alone on families that nothing was learnt from. No target: a comparison."""
    ratios: dict[str, list[tuple[float, float]]] = {}
    for instance in sharded.instances("test", 4 if quick else 40, 5000).values():
        if instance.graph.num_ops <= 900:
            heft = at_once(instance, Heuristic("heft"))
            row = (at_once(instance, Imitation()) / heft, at_once(instance, KeptTies()) / heft)
            for key in ("all", instance.topology.links):
                ratios.setdefault(key, []).append(row)
    print("\nunseen: step time / HEFT's, geometric mean: network, kept ties")
    for key, rows in ratios.items():
        network, ties = (geomean([row[at] for row in rows]) for at in (0, 1))
        better, worse = (sum(sign * (row[0] - 1.0) > 1e-9 for row in rows) for sign in (-1, 1))
        print(f"  {key:9s}{len(rows):4d} graphs {network:7.4f} {ties:7.4f}  (network: {better} better, {worse} worse)")
    return True


def warm(log: Log, quick: bool) -> bool:
    """Cold and warm, one after the other on the same instance, in an order that alternates."""
    warm_up()
    good = []
    print("\nwarm: learned warm start against the cold search, held-out families; step time warm / cold")
    for seconds, count in ({0.01: 6, 0.1: 6} if quick else log.times).items():
        begins = BEGINNINGS if seconds < 10 else ("heuristics", "network")
        groups = {}
        for at, (name, instance) in enumerate(held_out(count, log.public, log.first_seed).items()):
            turned = begins[at % len(begins) :] + begins[: at % len(begins)]
            groups[name] = [
                (f"warm/{seconds}/{name}/{begin}", partial(begun, instance, begin, seconds, at)) for begin in turned
            ]
        log.fill(list(groups.values()))
        found: dict[str, list[float]] = {begin: [] for begin in begins}
        for group in groups.values():
            row = {cell.rpartition("/")[2]: log.get(cell, make) for cell, make in group}
            if not any(map(math.isnan, row.values())):
                for begin, value in row.items():
                    found[begin].append(math.log(value))
        warm, cold = np.array(found["network"]), np.array(found["heuristics"])
        if "ties" in found:
            judged(seconds, "ties / cold", np.array(found["ties"]) - cold)
            judged(seconds, "network / ties", warm - np.array(found["ties"]))
        good.append(judged(seconds, "network / cold", warm - cold))
    return all(good)


def begun(instance: PlacementInstance, begin: str, seconds: float, seed: int) -> float:
    """Step time of the search, s; what it knows of the instance beforehand is what the simulator needs."""
    prepare(instance)
    features.cache_clear()
    return searched(instance, CriticalAnnealing(begin), Budget(seconds=seconds), seed)


def judged(seconds: float, which: str, logs: Any) -> bool:
    """`logs`: of ratios, one for each instance."""
    wins, losses = int((logs < -1e-9).sum()), int((logs > 1e-9).sum())
    p = sign_test(wins, losses)
    ratio = math.exp(np.mean(logs)) if len(logs) else math.nan
    met = wins > losses and p < 0.01 and len(logs) >= 100
    says = "met" if met else ("the other wins" if losses > wins and p < 0.01 else "NOT MET")
    print(f"  {seconds:5g} s, {which}: {len(logs)} instances, {wins} better, {losses} worse,")
    print(f"      geometric mean {ratio:.4f}, sign test p = {p:.2g}  (target p < 0.01 of >= 100): {says}")
    return met


def sign_test(wins: int, losses: int) -> float:
    """Two-sided, ties left out."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def papers(log: Log, quick: bool) -> bool:
    """At equal simulator calls, on two of the graphs. No target: a comparison."""
    calls = 500 if quick else 5000
    solvers: dict[str, Callable[[], Solver[PlacementInstance, Placement]]] = {
        "sequence (2017)": lambda: PolicyGradient("sequence"),
        "hierarchical (2018)": lambda: PolicyGradient("hierarchical"),
        "graph_attention (GDP, 2019)": lambda: PolicyGradient("graph_attention"),
        "random": lambda: Search("random"),
        "annealing, single moves": lambda: Search("walk", hot=0.01),
        "annealing, critical clusters": CriticalAnnealing,
        "the same from ties": lambda: CriticalAnnealing("ties"),
        "the same from the network": lambda: CriticalAnnealing("network"),
    }
    instances = {name: doppler()[name] for name in ("chain_mm_112nodes", "full_transformer_layer_261nodes")}
    print(f"\npapers: step time / lower bound after {calls} simulator calls (HEFT: none), on {', '.join(instances)}")
    for label, make in solvers.items():
        row = []
        for name, instance in instances.items():
            run = partial(searched, instance, make(), Budget(calls), 0)
            row.append(log.get(f"papers/{label}/{calls}/{name}", run) / step_time_bound(instance))
        print(f"  {label:32s}" + "".join(f"{value:10.3f}" for value in row))
    heft = [at_once(i, Heuristic("heft")) / step_time_bound(i) for i in instances.values()]
    print(f"  {'HEFT':32s}" + "".join(f"{value:10.3f}" for value in heft))
    return True


def teachers(log: Log, quick: bool) -> bool:
    """What CP-SAT adds to the searches that the network learns from, on small training graphs. No target."""
    teacher, counts = Teacher(), {"proved": 0, "better": 0, "as good": 0, "worse": 0}
    small = [
        instance
        for instance in PROBLEM.suite("drawn", "train").values()
        if instance.graph.num_ops * instance.topology.num_devices <= teacher.exact_most
    ]
    chosen = small[:: max(1, len(small) // (4 if quick else 60))]
    for instance in chosen:
        best = min(teacher.searched(instance, 0), key=partial(step, instance))
        exact = optimum(instance, teacher.exact_s, hint=best)
        ratio = step(instance, decide(instance, exact.unit_device, exact.priority)) / step(instance, best)
        counts["proved"] += exact.proved
        counts["better" if ratio < 0.999 else "as good" if ratio < 1.001 else "worse"] += 1
    print(f"\nteachers: CP-SAT on {len(chosen)} of {len(small)} small training graphs, against the best search")
    print("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return True


def warm_up() -> None:
    """Compile, import and read weights once."""
    for links in LINKS:
        instance = next(i for s in range(99) if (i := sharded.draw("chain", s)).topology.links == links)
        for begin in BEGINNINGS:
            searched(instance, CriticalAnnealing(begin), Budget(50), 0)
        at_once(instance, Imitation())


PARTS: Final[Mapping[str, Callable[[Log, bool], bool]]] = {
    "six": six,
    "unseen": unseen,
    "warm": warm,
    "papers": papers,
    "teachers": teachers,
    "known": known,
}

if __name__ == "__main__":
    raise SystemExit(main())
