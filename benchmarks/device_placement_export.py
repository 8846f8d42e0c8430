# SPDX-License-Identifier: Apache-2.0
"""Graphs of models of the library transformers: which export, how fast, and GPT-2 XL without memory.

    python benchmarks/device_placement_export.py [--quick]       needs pip install 'trimtab[transformers]'

Each family as small as the suite `transformers` has it, its inference and its training step: ops, edges, seconds to
trace, or what torch says. Then GPT-2 XL (48 layers, 1.56 billion parameters) on the meta device: seconds to build and
to export, and by how much the process grew. Targets: every family exports; GPT-2 XL in seconds, in less than a tenth
of the 6.2 GB that its weights would take. Nothing is downloaded. Ops of models that can't be run are estimated for a
nominal accelerator.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import Any

import torch

from trimtab.core.errors import InvalidInstance
from trimtab.problems.device_placement.workload import hugging_face
from trimtab.problems.device_placement.workload.profiling import Nominal
from trimtab.problems.device_placement.workload.torch_graph import build, export_module, trace_training

DEVICE = Nominal(300e12, 2e12)
SECONDS, SHARE = 60.0, 0.1


def exported(module: Any, inputs: tuple[torch.Tensor, ...], name: str, train: bool) -> str:
    begin = time.perf_counter()
    try:
        traced = trace_training(module, inputs) if train else export_module(module, inputs)
    except InvalidInstance as error:
        return f"NOT EXPORTED: {error}"
    graph = build(traced, name, DEVICE.seconds, family=name)
    return f"{graph.num_ops:5d} ops {len(graph.edge_op):5d} edges {time.perf_counter() - begin:6.1f} s"


def peak() -> float:
    """Most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def families(names: list[str]) -> bool:
    good = True
    for name in names:
        for train in (False, True):
            module, inputs = hugging_face.make(name)
            said = exported(module, inputs, name, train)
            good &= "NOT" not in said
            print(f"{name:12s}{'training' if train else 'inference':12s}{said}", flush=True)
    return good


def gpt2_xl(train: bool) -> bool:
    before, begin = peak(), time.perf_counter()
    with torch.device("meta"):
        module = hugging_face.build(
            "GPT2Config", "GPT2LMHeadModel", "input_ids", n_embd=1600, n_layer=48, n_head=25, use_cache=False,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )  # fmt: skip
        inputs = (torch.zeros(1, 1024, dtype=torch.int64),)
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    said = exported(module, inputs, "gpt2-xl", train)
    seconds, grown = time.perf_counter() - begin, peak() - before
    good = "NOT" not in said and seconds <= SECONDS and grown <= SHARE * weights
    print(
        f"GPT-2 XL, {weights / 1e9:.2f} GB of weights, {'training' if train else 'inference'}: {said}, "
        f"{seconds:.1f} s with building (target {SECONDS:g}), {grown / 1e9:.3f} GB more memory "
        f"(target {SHARE * weights / 1e9:.2f}): {'met' if good else 'NOT MET'}",
        flush=True,
    )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one family, and GPT-2 XL's inference only")
    options = parser.parse_args()
    good = families(["gpt2"] if options.quick else list(hugging_face.MODELS))
    for train in (False,) if options.quick else (False, True):
        good &= gpt2_xl(train)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
