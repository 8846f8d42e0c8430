# SPDX-License-Identifier: Apache-2.0
"""The named sets of instances. Splits are by model family: no family is in two of them.

==============  =====================================================================  =======================
suite           an instance                                                            train, validation, test
==============  =====================================================================  =======================
(shipped)       a graph that trimtab exported from PyTorch and profiled on one core,   39, 15, 33
                on three sets of devices (`TOPOLOGIES`)
transformers    the same of models that the library transformers builds from           12, 12, 30
                configurations: random weights, ops profiled on one core
doppler         a sharded graph of DOPPLER (ICLR 2026), on 4 or 8 accelerators         1, 1, 4
tarnawski       a profiled graph of Tarnawski et al. (NeurIPS 2020) for a full         4, 2, 10
                pipeline: 3 or 6 accelerators and a CPU
tarnawski-step  their graphs for one sample at a time, on 4 to 14 accelerators and     2, 1, 5
                8 CPUs, with our bus between them
pipedream       layers that PipeDream (SOSP 2019) profiled on a GPU, forward and       5, 2, 4
                backward, on 4 of them; without those of a contaminated profile
piper           graphs of Piper (NeurIPS 2021), each layer forward and backward as     1, 1, 1
                one op, on 8 accelerators for a full pipeline
sharded         a program on matrices in blocks, drawn at random, on drawn devices     158, 20, 20
exported        a model of a drawn size, exported without memory, on drawn devices     236, 20, 37
drawn           both                                                                   394, 40, 57
==============  =====================================================================  =======================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from trimtab.core.problem import Split

from ..problem import DeviceTopology, OpGraph, PlacementInstance

SHIPPED: Final = Path(__file__).parents[1] / "shipped"
SHIPPED_TRANSFORMERS: Final = SHIPPED / "transformers"

Suite = Callable[[Split], Mapping[str, PlacementInstance]]

#: Of the shipped graphs; the same as in `models.MODELS`, which needs torch.
FAMILIES: Final[Mapping[Split, tuple[str, ...]]] = {
    "train": ("gpt2", "bert", "resnet", "vgg", "mixer", "densenet", "sharded_chain"),
    "validation": ("vit", "unet", "sharded_ffn"),
    "test": ("llama", "mixtral", "t5", "inception", "gnmt", "sharded_transformer"),
}

#: Of those that were built from configurations of transformers; a family's split is that of the shipped one.
TRANSFORMERS: Final[Mapping[Split, tuple[str, ...]]] = {
    "train": ("gpt2", "bert"),
    "validation": ("vit", "swin"),
    "test": ("llama", "mixtral", "qwen_moe", "t5", "whisper"),
}

#: Of public graphs.
PUBLIC: Final[Mapping[str, Split]] = {
    "chain": "train", "ffnn": "validation", "transformer": "test",
    "resnet": "train", "bert": "test", "gnmt": "validation", "inception": "test",
    "vgg": "train", "nasnet": "test", "densenet": "test", "alexnet": "train", "squeezenet": "train",
}  # fmt: skip


@cache
def shipped(split: Split) -> Mapping[str, PlacementInstance]:
    """What comes with trimtab: nothing to fetch."""
    return _profiled(SHIPPED, FAMILIES[split])


@cache
def transformers(split: Split) -> Mapping[str, PlacementInstance]:
    """Models of the library transformers, as shipped."""
    return _profiled(SHIPPED_TRANSFORMERS, TRANSFORMERS[split])


def _profiled(folder: Path, families: tuple[str, ...]) -> Mapping[str, PlacementInstance]:
    made: dict[str, PlacementInstance] = {}
    for family in families:
        for path in sorted(folder.glob(f"{family}-*.npz")):
            graph = load_graph(path)
            for name, topology in TOPOLOGIES.items():
                made[f"{graph.name}-{name}"] = PlacementInstance(graph, topology(graph))
    return made


def load_graph(path: Path) -> OpGraph:
    """The graph in a file of `files`."""
    from .files import load

    return load(path)[0]


def bus4(graph: OpGraph) -> DeviceTopology:
    """Four cores on 10 Gbit/s, one way out of each, and memory for little more than a quarter."""
    return _cores(graph, "bus4", 4, 10e9, "bus", "fifo", tight=True)


def parallel8(graph: OpGraph) -> DeviceTopology:
    """Eight cores on 25 Gbit/s, links that never contend, queues with priorities."""
    return _cores(graph, "parallel8", 8, 25e9, "parallel", "priority", tight=False)


def pipeline4(graph: OpGraph) -> DeviceTopology:
    """Four cores on 10 Gbit/s as a full pipeline, and memory for little more than a quarter."""
    return _cores(graph, "pipeline4", 4, 10e9, "max_load", "fifo", tight=True)


TOPOLOGIES: Final[Mapping[str, Callable[[OpGraph], DeviceTopology]]] = {
    "bus4": bus4,
    "parallel8": parallel8,
    "pipeline4": pipeline4,
}


def _cores(
    graph: OpGraph, name: str, devices: int, bits: float, links: str, queue: str, *, tight: bool
) -> DeviceTopology:
    from ..problem import homogeneous

    return homogeneous(
        name,
        devices,
        kind=graph.device_types[0],
        memory_bytes=_tight(graph, devices) if tight else float("inf"),
        bandwidth=bits / 8,
        latency_s=50e-6,
        links=links,
        queue=queue,
        op_overhead_s=2e-6,
    )


def _tight(graph: OpGraph, devices: int) -> float:
    """1.4 times an even share of all bytes, and room for the largest group in any case."""
    import numpy as np

    from ..problem import units

    kept = graph.param_bytes + graph.output_bytes
    largest = np.bincount(units(graph)[0], kept).max()
    return float(max(1.4 * kept.sum() / devices, 1.5 * largest) + graph.workspace_bytes.max())


def public(dataset: str, file: str, suffix: str) -> dict[str, bytes]:
    """Members of a data set's archive; raises `MissingData`."""
    from trimtab.data import locate

    from .archives import read_members

    return read_members(locate(dataset, file), suffix)


@cache
def doppler(split: Split) -> Mapping[str, PlacementInstance]:
    from . import doppler as format_

    files = public("doppler-graphs", "compute_graph.tar.xz", ".txt")
    made = {}
    for member, text in sorted(files.items()):
        stem = PurePosixPath(member).stem
        if not stem.startswith("gdp_") and PUBLIC[format_.family_of(stem)] == split:
            made[stem] = format_.read(text, member, queue="priority")
    return made


@cache
def tarnawski(split: Split) -> Mapping[str, PlacementInstance]:
    return _tarnawski(split, "throughput-inputs", "max_load")


@cache
def tarnawski_step(split: Split) -> Mapping[str, PlacementInstance]:
    return _tarnawski(split, "latency-inputs", "bus")


def _tarnawski(split: Split, folder: str, links: str) -> dict[str, PlacementInstance]:
    from . import tarnawski as format_

    made = {}
    for member, text in sorted(public("dnn-partitioning", "inputs.tar.xz", ".json").items()):
        path = PurePosixPath(member)
        if path.parts[0] == folder and PUBLIC[format_.family_of(member)] == split:
            kind = "layers" if path.parts[1] == "LayerGraphs" else "ops"
            name = f"{path.stem.lower().replace('bert_l-', 'bert-')}-{kind}"
            made[name] = format_.read(text, name, links)
    return made


@cache
def pipedream(split: Split) -> Mapping[str, PlacementInstance]:
    from . import pipedream as format_

    made = {}
    for member, text in sorted(public("pipedream-profiles", "profiles.tar.xz", "graph.txt").items()):
        name = PurePosixPath(member).parent.name
        if name not in format_.CONTAMINATED and PUBLIC[format_.family_of(name)] == split:
            made[name] = format_.read(text, name)
    return made


@cache
def piper(split: Split) -> Mapping[str, PlacementInstance]:
    from . import piper as format_

    made = {}
    for member, text in sorted(public("piper-inputs", "inputs.tar.xz", ".json").items()):
        name = PurePosixPath(member).stem
        if PUBLIC[format_.family_of(name)] == split:
            made[name] = format_.read(text, name)
    return made


SUITES: Final[Mapping[str, Suite]] = {
    "transformers": transformers,
    "doppler": doppler,
    "tarnawski": tarnawski,
    "tarnawski-step": tarnawski_step,
    "pipedream": pipedream,
    "piper": piper,
}


def sharded(split: Split) -> Mapping[str, PlacementInstance]:
    from .sharded import suite

    return suite(split)


def exported(split: Split) -> Mapping[str, PlacementInstance]:
    from trimtab.core.extras import need

    need("torch", extra="learn", purpose="exporting models")
    from .exported import suite

    return suite(split)


def drawn(split: Split) -> Mapping[str, PlacementInstance]:
    return {**sharded(split), **exported(split)}


#: Made when they are asked for: what networks learn from.
GENERATED: Final[Mapping[str, Suite]] = {"sharded": sharded, "exported": exported, "drawn": drawn}
