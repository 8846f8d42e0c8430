# SPDX-License-Identifier: Apache-2.0
"""The lines of a Spark event log, decompressed and typed; nothing about them is taken for granted.

A log is a file of one JSON object a line (plain, ``.gz``, ``.zstd`` or ``.lz4``),
or a directory ``eventlog_v2_*`` of such files in numbered order.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, Final, cast

import msgspec

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

Count = Annotated[int, msgspec.Meta(ge=0, le=10**7)]
Id = Annotated[int, msgspec.Meta(ge=-1, le=2**53)]
Millis = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # since 1970

MAX_LINE: Final = 1 << 28  # bytes; the text of a plan can be megabytes


class CutOff(Exception):
    """The log ends in the middle of a line or of a compressed block."""


def _renamed(name: str) -> str:
    return name.title().replace("_", " ").replace(" Id", " ID").replace("Rdd", "RDD")


class _Scope(msgspec.Struct):
    name: str


class TaskInfo(msgspec.Struct, rename=_renamed):
    index: Count
    executor_id: str
    launch_time: Millis
    finish_time: Millis


class TaskEndReason(msgspec.Struct, rename=_renamed):
    reason: str


class TaskEnd(msgspec.Struct, rename=_renamed):
    stage_id: Id
    task_end_reason: TaskEndReason
    task_info: TaskInfo


class Rdd(msgspec.Struct, rename=_renamed):
    name: str = ""
    scope: str = ""  # {"id":"12","name":"Exchange"}

    @property
    def operator(self) -> str:
        """The part of the plan that it belongs to."""
        try:
            return msgspec.json.decode(self.scope, type=_Scope).name
        except msgspec.DecodeError:
            return self.name


class StageInfo(msgspec.Struct, rename=_renamed):
    stage_id: Id
    number_of_tasks: Count = msgspec.field(name="Number of Tasks")
    parent_ids: list[Id] = msgspec.field(name="Parent IDs", default_factory=list)
    rdd_info: list[Rdd] = []


class JobStart(msgspec.Struct, rename=_renamed):
    job_id: Id
    submission_time: Millis
    stage_infos: list[StageInfo]
    properties: dict[str, Any] | None = None


class JobResult(msgspec.Struct, rename=_renamed):
    result: str


class JobEnd(msgspec.Struct, rename=_renamed):
    job_id: Id
    completion_time: Millis
    job_result: JobResult


class SQLExecutionStart(msgspec.Struct, rename="camel"):
    execution_id: Id
    time: Millis
    description: str = ""
    root_execution_id: Id | None = None


class SQLExecutionEnd(msgspec.Struct, rename="camel"):
    execution_id: Id
    time: Millis
    error_message: str | None = None


class ExecutorInfo(msgspec.Struct, rename=_renamed):
    total_cores: Count


class ExecutorAdded(msgspec.Struct, rename=_renamed):
    timestamp: Millis
    executor_id: str
    executor_info: ExecutorInfo


class ExecutorRemoved(msgspec.Struct, rename=_renamed):
    timestamp: Millis
    executor_id: str


class EnvironmentUpdate(msgspec.Struct, rename=_renamed):
    spark_properties: dict[str, Any] = {}


Event = (
    TaskEnd
    | JobStart
    | JobEnd
    | SQLExecutionStart
    | SQLExecutionEnd
    | ExecutorAdded
    | ExecutorRemoved
    | EnvironmentUpdate
)


class _Tag(msgspec.Struct):
    Event: str


_TAG: Final = msgspec.json.Decoder(_Tag)
_KINDS: Final = {
    kind.__name__: msgspec.json.Decoder(kind) for kind in cast("Any", Event).__args__
}  # by the end of "SparkListenerTaskEnd", "org.apache...SparkListenerSQLExecutionEnd"


def log_files(path: Path) -> list[list[Path]]:
    """The logs at a path, each as its files in order: a file, a rolling log, or a directory of both."""
    if not path.exists():
        raise InvalidInstance(f"event log {path}: there is no such file")
    if not path.is_dir():
        return [[path]]
    if path.name.startswith("eventlog_v2_"):
        return [_rolled(path)]
    found = [files for child in sorted(path.iterdir()) if child.name[0] not in "._" for files in log_files(child)]
    if not found:
        raise InvalidInstance(f"event log {path}: the directory has no event logs")
    return found


def events(files: Sequence[Path]) -> Iterator[tuple[str, Event]]:
    """Each event that tells of jobs, stages, tasks or executors, after the place where it stands.

    Raises `InvalidInstance` for a line that is damaged, and `CutOff` at the end
    of a log that breaks off; what came before is whole.
    """
    for path in files:
        for number, line in enumerate(_lines(path), 1):
            event = _decode(line, f"event log {path}, line {number}")
            if event is not None:
                yield f"event log {path}, line {number}", event


def _decode(line: bytes, where: str) -> Event | None:
    try:
        kind = _TAG.decode(line).Event.rpartition("SparkListener")[2]
    except msgspec.ValidationError as error:
        raise InvalidInstance(f"{where}: not an event of Spark ({error})") from error
    except msgspec.DecodeError as error:
        raise InvalidInstance(f"{where}: not a line of JSON ({error})") from error
    decoder = _KINDS.get(kind)
    if decoder is None:
        return None
    try:
        return cast("Event", decoder.decode(line))
    except msgspec.DecodeError as error:
        raise InvalidInstance(f"{where}: {_subject(line, kind)}: {_in_words(error)}") from error


def _subject(line: bytes, kind: str) -> str:
    """What the event is about, as far as it can be read: "job 3", "stage 8"."""
    try:
        fields = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return kind
    for key, noun in (("Job ID", "job"), ("executionId", "SQL execution"), ("Stage ID", "stage")):
        if key in fields:
            return f"{noun} {fields[key]!r}, {kind}"
    return kind


def _in_words(error: msgspec.DecodeError) -> str:
    """`Expected `int` >= 0 - at `$.Task Info.Launch Time`` -> field 'Task Info.Launch Time': expected ..."""
    said, _, path = str(error).partition(" - at ")
    missing = re.search(r"missing required field `(.+)`", said)
    prefix = path.strip("`").removeprefix("$").lstrip(".")
    if missing:
        return f"field {'.'.join(filter(None, (prefix, missing[1])))!r} is missing"
    return f"field {prefix!r}: {said[:1].lower()}{said[1:]}" if prefix else said


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as stream:
        while True:
            try:
                line = stream.readline(MAX_LINE)
            except (EOFError, zlib.error, OSError) as error:
                raise CutOff(f"event log {path}: {error}") from error
            if not line:
                return
            if not line.endswith(b"\n") and not _is_json(line):
                raise CutOff(f"event log {path}: its last line is cut off")
            if line.strip():
                yield line


def _is_json(line: bytes) -> bool:
    try:
        _TAG.decode(line)
    except msgspec.ValidationError:
        return True
    except msgspec.DecodeError:
        return False
    return True


def _opened(path: Path) -> IO[bytes]:
    codec = path.name.removesuffix(".inprogress").removesuffix(".compact").rpartition(".")[2]
    if codec == "gz":
        return cast("IO[bytes]", gzip.open(path))
    if codec in ("zstd", "zst"):
        pyarrow = need("pyarrow", extra="tables", purpose=f"reading {path.name}")
        return cast("IO[bytes]", io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd")))
    if codec in ("lz4", "snappy", "lzf"):
        raise InvalidInstance(
            f"event log {path}: trimtab reads plain, .gz and .zstd logs;"
            " set spark.eventLog.compression.codec=zstd, or unpack it"
        )
    return path.open("rb")


def _rolled(folder: Path) -> list[Path]:
    """The parts of a rolling log, from the last compaction on."""
    numbered = {int(match[1]): child for child in folder.iterdir() if (match := re.match(r"events_(\d+)_", child.name))}
    if not numbered:
        raise InvalidInstance(f"event log {folder}: the directory has no files events_<number>_...")
    compacted = [number for number, child in numbered.items() if child.name.endswith(".compact")]
    first = max(compacted, default=min(numbered))
    missing = set(range(first, max(numbered) + 1)) - set(numbered)
    if missing:
        raise InvalidInstance(f"event log {folder}: part {min(missing)} of {max(numbered)} is missing")
    return [numbered[number] for number in sorted(numbered) if number >= first]
