# SPDX-License-Identifier: Apache-2.0
"""``graph.txt`` of ``msr-fiddle/pipedream`` (SOSP 2019): layers profiled on a GPU.

Lines ``id -- layer -- forward_compute_time=ms, backward_compute_time=ms,
activation_size=B, parameter_size=B`` (an activation may be a list: ``[a; b]``), and
lines ``id -- id`` for edges. Every layer becomes two ops of one colocation group,
forward and backward; gradients go the edges' way back, as large as the activations.

The first layers of alexnet, resnet18 and squeezenet1_0 were profiled with the input
pipeline in them (580 to 680 ms): `CONTAMINATED`, and left out of the suite.
"""

from __future__ import annotations

import re
from typing import Final

from trimtab.core.errors import InvalidInstance

from ..problem import PlacementInstance, homogeneous
from .building import GraphBuilder

CONTAMINATED: Final = frozenset({"alexnet", "resnet18", "squeezenet1_0"})
MS: Final = 1e-3
_NUMBERS: Final = ("forward_compute_time", "backward_compute_time", "activation_size", "parameter_size")


def read(text: bytes, name: str) -> PlacementInstance:
    """One instance: 4 accelerators of 16 GiB on 10 Gbit/s, as in the paper's cluster A, two-way; one bus each."""
    try:
        lines = text.decode("utf-8").splitlines()
        layers, edges = _parse(lines)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise InvalidInstance(f"{name}: not a PipeDream graph ({error})") from error
    if not layers:
        raise InvalidInstance(f"{name}: not a PipeDream graph (there is no layer in it)")
    builder = GraphBuilder(name, ("accelerator",), family=family_of(name))
    for key, (label, numbers) in layers.items():
        forward, backward, size, parameters = numbers
        kind = re.split(r"[(\s]", label, maxsplit=1)[0] or "layer"
        builder.op((key, "forward"), f"{key} {label[:60]}", kind, (forward * MS,), param_bytes=parameters,
                   output_bytes=size, group=key)  # fmt: skip
        builder.op((key, "backward"), f"{key} backward", f"{kind}Backward", (backward * MS,), group=key, backward=True)
        builder.tensor((key, "out"), (key, "forward"), size)
        builder.read((key, "out"), (key, "backward"))
    for a, b in edges:
        if a not in layers or b not in layers:
            raise InvalidInstance(f"{name}: edge {a} -- {b} leads to a layer that is not there")
        builder.read((a, "out"), (b, "forward"))
        builder.tensor((a, b), (b, "backward"), layers[a][1][2])
        builder.read((a, b), (a, "backward"))
    topology = homogeneous(
        "4 accelerators, 10 Gbit/s", 4, kind="accelerator", memory_bytes=16 * 2.0**30, bandwidth=10e9 / 8,
        latency_s=50e-6,
    )  # fmt: skip
    return PlacementInstance(builder.build(), topology)


def _parse(lines: list[str]) -> tuple[dict[str, tuple[str, list[float]]], list[tuple[str, str]]]:
    layers: dict[str, tuple[str, list[float]]] = {}
    edges = []
    for line in lines:
        if not line.strip():
            continue
        if line[0].isspace():
            a, b = line.split(" -- ")
            edges.append((a.strip(), b.strip()))
            continue
        key, label, facts = line.split(" -- ", 1)[0], *line.split(" -- ", 1)[1].rsplit(" -- ", 1)
        found = dict(re.findall(r"(\w+)=(\[[^\]]*\]|[^,]+)", facts))
        layers[key.strip()] = (label.strip(), [_sum(found[field]) for field in _NUMBERS])
    return layers, edges


def _sum(text: str) -> float:
    return sum(float(part) for part in text.strip("[] ").split(";"))


def family_of(name: str) -> str:
    """The model's family from a profile's name."""
    known = ("resnet", "resnext", "vgg", "gnmt", "inception", "nasnet", "densenet", "alexnet", "squeezenet")
    found = next((word for word in known if word in name.lower()), name)
    return "resnet" if found == "resnext" else found
