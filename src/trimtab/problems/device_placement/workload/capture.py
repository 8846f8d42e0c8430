# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture device_placement``: the op graph of a PyTorch module, profiled on this machine."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from trimtab.core.errors import InvalidInstance, UsageError
from trimtab.core.extras import need

from ..problem import DeviceTopology, OpGraph, homogeneous
from .files import save
from .profiling import Nominal, Profile, profile
from .torch_graph import Traced, build, export_module, trace_training

_PREFIX: Final = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
COVERAGE: Final = (0.8, 1.25)  # a sum of ops that is further from the whole is not believed


def quantity(text: str, units: dict[str, float]) -> float:
    """``10Gbit`` in B/s, ``16GiB`` in B, ``50us`` in s: a number, a prefix and one of `units` with its factor."""
    names = "|".join(sorted(units, key=len, reverse=True))
    match = re.fullmatch(rf"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(Ki|Mi|Gi|k|M|G|T)?({names})(?:/s)?\s*", text)
    if match is None:
        raise click.BadParameter(f"{text!r}; expected a number and a unit, such as 10G{next(iter(units))}")
    return float(match[1]) * _PREFIX[match[2] or ""] * units[match[3]]


def _bandwidth(ctx: click.Context, parameter: click.Parameter, value: str) -> float:
    return quantity(value, {"bit": 1 / 8, "B": 1.0})


def _bytes(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float:
    return float("inf") if value is None else quantity(value, {"B": 1.0})


def _nominal(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Nominal | None:
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 2:
        raise click.BadParameter(f"{value!r}; expected FLOPS,BANDWIDTH such as 300Tflop/s,2TB/s")
    return Nominal(quantity(parts[0], {"flop": 1.0}), quantity(parts[1], {"B": 1.0, "bit": 1 / 8}))


_SHARED: Final = (
    click.option("--train", is_flag=True, help="A whole training step (forward, backward, SGD), not inference."),
    click.option("--devices", default=4, type=click.IntRange(1, 64), help="How many devices the plan is for."),
    click.option("--link", default="10Gbit", callback=_bandwidth, help="Bandwidth between two devices."),
    click.option("--latency", default=50e-6, type=click.FloatRange(min=0), help="s before a transfer's first byte."),
    click.option("--memory", callback=_bytes, help="Of each device, such as 16GiB. Default: no limit."),
    click.option("--links", type=click.Choice(["bus", "parallel", "switch", "max_load"]), default="bus"),
    click.option("--queue", type=click.Choice(["fifo", "priority"]), default="fifo", help="Order of ready ops."),
    click.option("--copies", default=1.0, type=click.FloatRange(min=0), help="Bytes kept per byte of parameters."),
    click.option("--nominal", callback=_nominal, metavar="FLOPS,BANDWIDTH", help="Estimate ops, do not run them."),
    click.option("--repeats", default=9, type=click.IntRange(min=1), help="Runs of the whole program."),
)


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a module and its devices, which `capture` and `solve` have in common."""
    for option in reversed(_SHARED):
        function = option(function)
    return function


@click.command("device_placement", context_settings={"show_default": True})
@click.argument("target", metavar="FILE.py:MAKE")
@shared
@click.option("--family", default="", help="Graphs of one family share a split.")
@click.option("-o", "--output", default="graph.npz", type=click.Path(path_type=Path), help="The graph file.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, and nothing else.")
def command(
    target: str, train: bool, nominal: Nominal | None, repeats: int, family: str, copies: float, output: Path,
    as_json: bool, **devices: Any,
) -> None:  # fmt: skip
    """Make a graph file from a PyTorch module.

    MAKE is a function of no arguments in FILE.py that returns (module, inputs). It
    is run as your own program. Ops are timed on this machine with one thread; with
    --nominal they are estimated from a data sheet (300Tflop/s,2TB/s), which also
    works for modules on the meta device. `trimtab solve device_placement
    graph.npz` plans for it.
    """
    if output.suffix != ".npz":
        raise UsageError(f"--output {output}: the name of a graph file ends in .npz")
    module, inputs = maker(target)()
    name = target.rpartition(":")[2]
    graph, card = capture(module, inputs, name, family or name, train, copies, nominal, repeats)
    save(output, graph, topology_of(graph, **devices), {**card, "command": f"capture {target}"})
    if as_json:
        click.echo(json.dumps({"output": str(output), **card}))
        return
    cover = "" if nominal else f", {card['coverage']:.2f} of the whole program's time"
    click.echo(f"{graph.num_ops} ops, {graph.compute_s.sum():.4g} s of one device{cover}: {output}")


def maker(target: str) -> Callable[[], tuple[Any, tuple[Any, ...]]]:
    """The function that ``FILE.py:MAKE`` names."""
    file, _, name = target.rpartition(":")
    path = Path(file)
    if not name or path.suffix != ".py" or not path.is_file():
        raise UsageError(f"{target!r}: expected FILE.py:MAKE, a Python file and a function in it")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # of a file that ends in .py
    loaded = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:
        raise InvalidInstance(f"{path} does not run: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    given: Any = getattr(loaded, name, None)
    if not callable(given):
        raise UsageError(f"{path} has no function {name!r}")

    def made() -> tuple[Any, tuple[Any, ...]]:
        try:
            answer: Any = given()
            module, inputs = answer
        except Exception as error:
            raise InvalidInstance(f"{target}: expected (module, inputs); {type(error).__name__}: {error}") from error
        return module, tuple(inputs)

    return made


def capture(
    module: Any, inputs: tuple[Any, ...], name: str, family: str, train: bool, copies: float = 1.0,
    nominal: Nominal | None = None, repeats: int = 9,
) -> tuple[OpGraph, dict[str, Any]]:  # fmt: skip
    """(graph, card) of a module's inference, or of its training step.

    Raises `InvalidInstance` where it can't be traced, or where the ops' times do
    not add up to that of the whole.
    """
    traced: Traced = trace_training(module, inputs) if train else export_module(module, inputs)
    measured: Profile | None = None
    if nominal is None:
        measured = profile(traced, repeats)
        if not COVERAGE[0] <= measured.coverage <= COVERAGE[1]:
            raise InvalidInstance(
                f"{name}: its ops take {measured.coverage:.2f} of the time of the whole program, expected about 1. "
                "Is the machine busy, or the program so small that calling ops is most of it?"
            )
    times = measured.node_s if measured else {}
    seconds = nominal.seconds if nominal else lambda node: times[node.name]
    graph = build(traced, name, seconds, family=family, param_copies=copies)
    card = {
        "name": name,
        "family": family,
        "training": train,
        "ops": graph.num_ops,
        "captured": f"{datetime.now(UTC):%Y-%m-%d}",
        "torch": need("torch", extra="learn").__version__,
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "system": platform.system()},
    }
    if measured:
        card |= {"whole_s": measured.whole_s, "coverage": measured.coverage, "repeats": repeats, "threads": 1}
    return graph, card


def topology_of(
    graph: OpGraph, *, devices: int, link: float, latency: float, memory: float, links: str, queue: str
) -> DeviceTopology:
    return homogeneous(
        f"{devices} devices, {link * 8 / 1e9:g} Gbit/s",
        devices,
        kind=graph.device_types[0],
        memory_bytes=memory,
        bandwidth=link,
        latency_s=latency,
        links=links,
        queue=queue,
    )


def cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.machine())
