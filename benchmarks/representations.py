# SPDX-License-Identifier: Apache-2.0
"""Which representation of a basic block tells best how long it takes? Each trained for the same CPU seconds.

    TRIMTAB_DATA=... python benchmarks/representations.py [--quick] [--seconds 120] [--suite zen4]

On one core, on the same blocks, tested on applications that none was trained on
(block_throughput's own splits; near-duplicates are not in the training part):

    bag, linear               how often each opcode occurs; a cost for each, by regression
    bag of opcodes            the same counts and their sum; boosted trees
    bag and sizes             with loads, stores, lengths of dependency chains, too; boosted trees
    token sequence            one LSTM over all tokens of the block
    hierarchical sequence     Ithemal: an LSTM over tokens, one over instructions
    dependency graph          GRANITE: message passing between instructions and values
    analytical skeleton       trimtab's: a pipeline whose parameters are learned, trees on what is left

The networks are as wide as each other, and were not tuned beyond what their papers
say; the learning rate of each falls to nothing over the given seconds. Trees stop
when their number is reached, so they may use fewer. Intervals: 95 %, from 1,000
resamples of the test blocks; two applications are too few to resample these.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from throughput_scores import HEADING, score

from trimtab.core import registry
from trimtab.problems.block_throughput.baselines.boosted import BoostedCountsLearner
from trimtab.problems.block_throughput.baselines.counts import opcode_counts
from trimtab.problems.block_throughput.baselines.forest import Forest
from trimtab.problems.block_throughput.baselines.instructions import decode
from trimtab.problems.block_throughput.baselines.opcodes import OpcodeCostsLearner
from trimtab.problems.block_throughput.baselines.tokens import tokenise, vocabulary
from trimtab.problems.block_throughput.baselines.trained import Examples
from trimtab.problems.block_throughput.learned.networks import NetworkLearner
from trimtab.problems.block_throughput.learned.networks.network import Kind, texts
from trimtab.problems.block_throughput.learned.networks.training import Settings, begin, train
from trimtab.problems.block_throughput.problem import BlockSet
from trimtab.problems.block_throughput.workload import truth

Floats = NDArray[np.float64]
Fit = Callable[[Examples, float], Callable[[Examples], Floats]]

WIDTH = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8 s each, on 6,000 training and 2,000 test blocks")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU seconds of training for each")
    parser.add_argument("--suite", default="zen4", help="'' for the blocks that the package ships")
    parser.add_argument("--cpu", default="AuthenticAMD-25-17")
    parser.add_argument("--only", nargs="*", default=list(REPRESENTATIONS), metavar="NAME", help="some of them")
    options = parser.parse_args()
    seconds = 8.0 if options.quick else options.seconds
    seen, unseen = (gather(options.suite, split, options.cpu) for split in ("train", "test"))
    if options.quick:
        seen, unseen = sample(seen, 6000), sample(unseen, 2000)
    print(
        f"{len(seen.cycles):,} training blocks, {len(unseen.cycles):,} test blocks of other applications, "
        f"{seconds:.0f} CPU s of training for each\n"
    )
    print(f"representation          train s   blocks/s   {HEADING}")
    for name in options.only:
        row(name, REPRESENTATIONS[name], seen, unseen, seconds)
    return 0


def row(name: str, fit: Fit, seen: Examples, unseen: Examples, seconds: float) -> None:
    started = time.process_time()
    predict = fit(seen, seconds)
    fitted = time.process_time()
    predicted = predict(unseen)
    rate = len(unseen.cycles) / (time.process_time() - fitted)
    print(f"{name:23s} {fitted - started:7.0f}   {rate:8,.0f}   {score(predicted, unseen.cycles)}", flush=True)


def gather(suite: str, split: str, cpu: str) -> Examples:
    """All labelled blocks of a split, for one CPU."""
    problem = registry.load("block_throughput")
    instances: Sequence[BlockSet] = [one for one in problem.suite(suite, split).values() if one.cpu == cpu]  # type: ignore[arg-type]
    code, cycles = [], []
    for instance in instances:
        labels = truth(instance)
        kept = np.flatnonzero(np.isfinite(labels))
        code += [instance.blocks[at] for at in kept]
        cycles.append(labels[kept])
    truths = np.concatenate(cycles)
    return Examples(tuple(code), decode(code), truths, np.zeros(len(truths), np.int64), (f"{cpu} U",))


def sample(everything: Examples, count: int) -> Examples:
    order = np.random.default_rng(0).permutation(len(everything.cycles))
    return everything.take(order[:count])


def linear(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
    model = OpcodeCostsLearner("linear").model(seen, seconds)
    return lambda unseen: model.predict(unseen.code, unseen.blocks, 0)


def bag(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
    """As `baselines.boosted`, of the numbers beside the counts only that of instructions."""
    import lightgbm

    words = vocabulary(((one.opcode for one in block) for block in seen.blocks), 20)

    def table(some: Examples) -> Floats:
        counts = opcode_counts(some.blocks, words).toarray()
        return np.concatenate((counts.sum(axis=1, keepdims=True), counts), axis=1)

    options = {"objective": "regression_l1", "learning_rate": 0.1, "num_leaves": 63, "max_bin": 63}
    options |= {"feature_fraction": 0.6, "num_threads": 1, "verbose": -1, "seed": 0}
    labelled = lightgbm.Dataset(table(seen).astype(np.float32), np.log(seen.cycles))
    forest = Forest.of(until(seconds, labelled, options))
    return lambda unseen: np.asarray(np.exp(forest.predict(table(unseen))))


def until(seconds: float, labelled: Any, options: dict[str, Any], trees: int = 1000) -> Any:
    """Boost for some CPU seconds, or to a number of trees."""
    import lightgbm

    deadline = time.process_time() + seconds

    def stop(progress: lightgbm.callback.CallbackEnv) -> None:
        if time.process_time() > deadline:
            raise lightgbm.callback.EarlyStopException(progress.iteration, [])

    return lightgbm.train(options, labelled, trees, callbacks=[stop])


def bag_and_sizes(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
    model = BoostedCountsLearner(trees=1000, leaves=63, rate=0.1, least=20).model(seen, seconds)
    return lambda unseen: model.predict(unseen.code, unseen.blocks, 0)


def flat(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
    import torch

    words = vocabulary(texts("ithemal", seen.blocks), 5)
    settings = Settings(seconds=seconds, hidden=WIDTH)
    network = begin("flat", seen, words, settings, seed=0)
    train(network, seen.cycles, settings, seed=0)

    def predict(unseen: Examples) -> Floats:
        network.read(tokenise(unseen.blocks, words).flat(), unseen.target)
        order = np.argsort(network.sizes, kind="stable")
        found = np.empty(len(order))
        with torch.no_grad():
            for rows in np.array_split(order, max(1, len(order) // 256)):
                found[rows] = network.log_cycles(rows).exp().numpy()
        return found

    return predict


def network(kind: Kind) -> Fit:
    def fit(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
        model = NetworkLearner(kind, Settings(seconds=seconds, hidden=WIDTH)).model(seen, seconds, seed=0)
        return lambda unseen: model.predict(unseen.code, unseen.blocks, 0)

    return fit


def skeleton(seen: Examples, seconds: float) -> Callable[[Examples], Floats]:
    from trimtab.problems.block_throughput.learned import fit_model

    cpu = seen.targets[0].split()[0]
    model = fit_model(seen.code, seen.cycles, cpu=cpu, seconds=seconds)
    return lambda unseen: model.predict(unseen.code, cpu).cycles


REPRESENTATIONS: dict[str, Fit] = {
    "bag, linear": linear,
    "bag of opcodes": bag,
    "bag and sizes": bag_and_sizes,
    "token sequence": flat,
    "hierarchical sequence": network("ithemal"),
    "dependency graph": network("granite"),
    "analytical skeleton": skeleton,
}


if __name__ == "__main__":
    raise SystemExit(main())
