# SPDX-License-Identifier: Apache-2.0
"""The folder of a run of tuning: its journal, its arguments, its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning.system.journal import Journal

from ..screen import to_json, write_files
from .assemble import Job

JOURNAL: Final = "journal.jsonl"
ARGUMENTS: Final = "arguments.json"


def begin(folder: Path, job: Job, optimiser: str, words: Sequence[str], asked: Mapping[str, Any]) -> Journal:
    """The journal of a run, new or to be gone on with. Raises `UsageError` if the folder's is of another run."""
    header = {
        "command": job.command.describe(),
        "space": _without_defaults(job),
        "objective": msgspec.to_builtins(job.objective),
        "seed": asked["seed"],
        "optimiser": optimiser,
    }
    journal = Journal(folder / JOURNAL, header)
    told = {"folder": Path.cwd(), "words": words, "asked": asked}
    write_files(folder, {ARGUMENTS: to_json(told)})
    return journal


def recall(folder: Path) -> tuple[Path, list[str], dict[str, Any]]:
    """Where the run of a folder was started, its command, and what was asked."""
    path = folder / ARGUMENTS
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        asked = dict(told["asked"])
        asked |= {name: Path(asked[name]) if asked.get(name) else None for name in ("space", "stdin", "class_archive")}
        asked["template"] = [Path(name) for name in asked["template"]]
        return Path(told["folder"]), list(map(str, told["words"])), asked
    except OSError:
        raise UsageError(f"{folder} holds no run of tuning (no {ARGUMENTS})") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is damaged: repeat the command that it was begun with, and --out {folder}") from None


def _without_defaults(job: Job) -> Mapping[str, Any]:
    """Every knob with its kind, its values and its default, and nothing of how it is described."""
    space = msgspec.to_builtins(job.command.space)
    return {
        "knobs": {knob.pop("name"): _finite(knob) for knob in space["knobs"]},
        "forbidden": space["forbidden"],
    }


def _finite(knob: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in knob.items() if k != "about" and v not in (None, [], {}, "", float("inf"), -float("inf"))}
