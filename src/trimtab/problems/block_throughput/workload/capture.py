# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture block_throughput``: blocks from the user's binaries, measured here, and a model of this CPU."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from trimtab.core.errors import UsageError

from .campaign import Campaign, capture
from .labelled import Labelled, write_labelled

_PATH: Final = click.Path(path_type=Path)
_TRAIN_LEAST: Final = 100  # labels
_TRAIN_SHARE, _TRAIN_LEAST_S = 0.93, 20.0  # of the time that is left, but at least so many seconds


@click.command("block_throughput", context_settings={"show_default": True})
@click.option("--binaries", multiple=True, type=_PATH, help="Take blocks from this ELF file. Repeatable.")
@click.option("--blocks", "lists", multiple=True, type=_PATH, help="Take blocks from this list (hex). Repeatable.")
@click.option("--minutes", default=5.0, type=click.FloatRange(min=0.05, max=10_000), help="For everything.")
@click.option("--notion", default="U", type=click.Choice(["U", "L"]), help="Unrolled, or as the body of a loop.")
@click.option("--passes", default=3, type=click.IntRange(2, 6), help="Over each block, at least.")
@click.option("--cores", default=0, type=click.IntRange(min=0), help="That measure; 0: all.")
@click.option(
    "--most", default=0, type=click.IntRange(min=0), help="Blocks of each binary; 0: as many as there is time for."
)
@click.option("--seed", default=0, help="Of the order of the blocks, and of the training.")
@click.option("--train/--no-train", default=True, help="Whether to train a model of this CPU.")
@click.option("-o", "--output", default="block_throughput.safetensors", type=_PATH, help="The model.")
@click.option("--labels", type=_PATH, help="The labelled blocks; by default beside the model, .npz.")
@click.option("--note", "notes", multiple=True, help="What the card shall say of the circumstances. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the labels' card as JSON, and nothing else.")
def command(output: Path, labels: Path | None, notes: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Measure basic blocks on this CPU, and train a model of it.

    Takes the blocks of ELF files, runs each in a confined process of its own (nothing
    of a program is executed but single blocks), several times, apart in time, and keeps
    what agrees. An interrupted capture goes on where it stopped.
    """
    campaign = Campaign(**options)
    labels = labels or output.with_suffix(".npz")
    if not campaign.binaries and not campaign.lists:
        raise UsageError("nothing to measure: give --binaries PROGRAM or --blocks LIST")
    if labels.suffix != ".npz":
        raise UsageError(f"--labels {labels}: the name of a set of labels ends in .npz")
    if campaign.train and output.suffix != ".safetensors":
        raise UsageError(f"--output {output}: the name of a model ends in .safetensors")
    started = time.monotonic()
    captured = capture(campaign, labels.with_name(f".{labels.name}.partial"), quiet=as_json)
    captured.card["notes"] = [*captured.card["notes"], *notes]
    write_labelled(labels, captured)
    labels.with_name(f".{labels.name}.partial").unlink(missing_ok=True)
    left = campaign.minutes * 60 - (time.monotonic() - started)
    trained = campaign.train and _train(campaign, captured, output, left, as_json)
    _say(captured, labels, output if trained else None, time.monotonic() - started, as_json)


def _train(campaign: Campaign, captured: Labelled, output: Path, left: float, quiet: bool) -> bool:
    """A model of this CPU from its labels, in what is left of the time."""
    if len(captured.blocks) < _TRAIN_LEAST:
        click.echo(f"{len(captured.blocks)} labels are too few to train on (at least {_TRAIN_LEAST})", err=True)
        return False
    from ..learned import fit_model

    seconds = max(_TRAIN_LEAST_S, _TRAIN_SHARE * left)
    with _telling(f"training on {len(captured)} labels", quiet):
        model = fit_model(
            captured.blocks,
            captured.cycles,
            cpu=captured.cpu,
            notion=campaign.notion,
            seed=campaign.seed,
            seconds=seconds,
        )
    model.save(output)
    return True


@contextmanager
def _telling(title: str, quiet: bool) -> Iterator[None]:
    """Shows the title, and behind it what training logs."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet, markup=False, emoji=False)
    logger = logging.getLogger("trimtab")
    before = logger.level
    if not console.is_terminal:
        console.print(title)
    with console.status(title) as status:
        handler = logging.Handler(logging.INFO)
        handler.emit = lambda record: status.update(f"{title}: {record.getMessage()}")  # type: ignore[method-assign]
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)


def _say(captured: Labelled, labels: Path, model: Path | None, seconds: float, as_json: bool) -> None:
    card = captured.card
    if as_json:
        click.echo(json.dumps({"labels": str(labels), "model": str(model) if model else None, **card}))
        return
    for reason, count in {**card["refused"], **card["failed"]}.items():
        click.echo(f"left out: {count} blocks: {reason}", err=True)
    waiting = card["blocks"] - card["measured"] - sum(card["refused"].values())
    if waiting:
        click.echo(f"left for another time: {waiting} blocks (give it more --minutes)", err=True)
    spread = f"closest passes differ by {card['spread']['median']:.2%} (median)"
    click.echo(f"{len(captured.blocks)} labels for {captured.cpu}, {spread}: {labels}")
    if model:
        click.echo(f"a model of this CPU: {model}")
    click.echo(f"after {seconds / 60:.1f} minutes")
