# SPDX-License-Identifier: Apache-2.0
"""block_throughput: blocks a second on one core, from raw bytes to predictions, beside llvm-mca on the same blocks.

    python benchmarks/block_throughput_speed.py [--blocks 20000] [--mca 1000] [--rounds 5] [--quick]

One process, one thread. Both are timed in turns and the best round counts. llvm-mca
gets its blocks as text, many in a process, and 100 iterations of each; what it takes
to disassemble them is told apart. Target: >= 20,000 blocks/s, >= 15 times llvm-mca.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from trimtab.core import registry
from trimtab.core.errors import Unavailable
from trimtab.problems.block_throughput.baselines.cores import core_of
from trimtab.problems.block_throughput.baselines.llvm import analyse_text, disassemble
from trimtab.problems.block_throughput.decode import decode
from trimtab.problems.block_throughput.learned import shipped
from trimtab.problems.block_throughput.simulator.columns import RUN


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--blocks", type=int, default=20_000)
    options.add_argument("--mca", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--quick", action="store_true")
    asked = options.parse_args()
    count, few, rounds = (2000, 200, 2) if asked.quick else (asked.blocks, asked.mca, asked.rounds)
    problem = registry.load("block_throughput")
    try:
        instances = {**problem.suite("zen4", "test"), **problem.suite("zen4", "train")}
    except Unavailable:
        instances = {name: one for name, one in problem.instances("train").items() if name.startswith("zen4")}
    blocks = [block for one in instances.values() for block in one.blocks]
    chosen = [blocks[at] for at in np.random.default_rng(0).permutation(len(blocks))[:count]]
    cpu = "AuthenticAMD-25-17"
    core = shipped().core(cpu)
    started = time.perf_counter()
    core.predict(chosen)
    cold = time.perf_counter() - started
    mca = core_of(cpu).mcpu
    texts = [text for text in disassemble(chosen[:few], mca) if isinstance(text, str)]
    ours, theirs = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        core.predict(chosen)
        ours.append((time.perf_counter() - started) / len(chosen))
        started = time.perf_counter()
        analyse_text(texts, mca, steady=False)
        theirs.append((time.perf_counter() - started) / len(texts))
    started = time.perf_counter()
    code = decode(chosen)
    decoding = (time.perf_counter() - started) / len(chosen)
    started = time.perf_counter()
    told = core.simulate(code)
    simulating = (time.perf_counter() - started) / len(chosen)
    assert told.shape == (len(chosen), RUN)
    print(f"{len(chosen)} blocks; first call, with unseen templates and compilation or its cache: {cold:.2f} s")
    print(f"trimtab:  {1 / min(ours):9.0f} blocks/s   (target >= 20,000)   {1e6 * min(ours):.1f} us a block: "
          f"decoding {1e6 * decoding:.1f}, simulator {1e6 * simulating:.1f}, the rest trees")  # fmt: skip
    print(f"llvm-mca: {1 / min(theirs):9.0f} blocks/s, {len(texts)} blocks as text, 100 iterations")
    print(f"ratio:    {min(theirs) / min(ours):9.1f}            (target >= 15)")


if __name__ == "__main__":
    main()
