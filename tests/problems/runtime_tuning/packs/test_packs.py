# SPDX-License-Identifier: Apache-2.0
"""Every pack against the tool itself: it takes what the pack writes, and its defaults are the tool's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.kit.postgresql import temporary_server
from trimtab.problems.runtime_tuning import packs
from trimtab.problems.runtime_tuning.packs import Pack

CORES = ("-XX:ActiveProcessorCount=2",)


@cache
def loaded(name: str) -> Pack:
    try:
        return packs.load(name, base=CORES if name == "jvm" else ())
    except Unavailable as missing:
        pytest.skip(str(missing))


def run(*command: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=folder,
        env={**os.environ, **(environment or {})}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _java(pack: Pack, args: Sequence[str], folder: Path) -> None:
    assert "version" in run(pack.tool, *CORES, *args, "-version")


def _compile(pack: Pack, args: Sequence[str], folder: Path) -> None:
    source = folder / "x.c"
    source.write_text("int main(void) { int s = 0; for (int i = 0; i < 100; i++) s += i * s; return s & 0; }\n")
    run(pack.tool, "-O2", *args, "-o", str(folder / "x"), str(source))
    run(str(folder / "x"))


def _compress(pack: Pack, args: Sequence[str], folder: Path) -> None:
    source = folder / "x"
    source.write_bytes(b"so it is written " * 500)
    packed = folder / "x.packed"
    packed.write_bytes(subprocess.run([pack.tool, "-q", *args, "-c", source], capture_output=True, check=True).stdout)
    there = subprocess.run([pack.tool, "-q", "-d", "-c"], input=packed.read_bytes(), capture_output=True, check=True)
    assert there.stdout == source.read_bytes()


def _sqlite(pack: Pack, args: Sequence[str], folder: Path) -> None:
    assert run(pack.tool, "-bail", "-batch", str(folder / "d"), *args, "CREATE TABLE t(x); SELECT 5;").strip() == "5"


def _redis(pack: Pack, args: Sequence[str], folder: Path) -> None:
    command = [pack.tool, "--port", "0", "--unixsocket", str(folder / "s"), "--save", "", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "ready to accept connections" in line or "FATAL" in line:
                break
        process.terminate()
        assert "ready to accept connections" in lines[-1], "".join(lines)


TAKES: Mapping[str, Callable[[Pack, Sequence[str], Path], None]] = {
    "jvm": _java, "gcc": _compile, "clang": _compile, "zstd": _compress, "xz": _compress, "sqlite": _sqlite,
    "redis": _redis,
}  # fmt: skip


@pytest.mark.parametrize("name", TAKES)
def test_the_tool_takes_random_configurations(name: str, tmp_path: Path):
    pack = loaded(name)
    rng = np.random.default_rng(5)
    for draw in range(3):
        folder = tmp_path / str(draw)
        folder.mkdir()
        TAKES[name](pack, pack.arguments(pack.space.draw(rng)), folder)


@pytest.mark.parametrize("name", packs.names())
def test_the_default_changes_nothing(name: str):
    pack = loaded(name)
    setting = pack.setting(pack.space.default)
    assert (setting.args, dict(setting.environment)) == ((), {})
    assert not any(setting.files.values())


@pytest.mark.parametrize("name", packs.names())
def test_a_change_of_one_knob_is_told_of_it_alone(name: str):
    pack = loaded(name)
    for knob in pack.space.knobs:
        if knob.when:
            continue
        other = next(v for u in (0.01, 0.5, 0.99) if (v := knob.at(u)) != knob.default)
        setting = pack.setting({**pack.space.default, knob.name: other})
        told = " ".join([*setting.args, *setting.environment.values(), *setting.files.values()])
        assert told, knob
        for another in pack.space.knobs:
            if another.name not in knob.name and len(another.name) > 4:
                assert not re.search(rf"(?<![\w-]){another.name}(?![\w-])", told), (knob, another)


def test_defaults_of_the_jvm_are_those_of_the_command():
    pack = loaded("jvm")
    told = run(pack.tool, *CORES, "-XX:+PrintFlagsFinal", "-version")
    assert pack.space.by_name["MaxInlineLevel"].default == int(re.search(r" MaxInlineLevel\s+= (\d+)", told)[1])  # type: ignore[index]
    collector = pack.space.by_name["gc"].default
    assert re.search(rf"Use{collector}GC\s+= true", told)
    serial = packs.load("jvm", base=("-XX:+UseSerialGC", "-XX:MaxInlineLevel=11"))
    assert serial.space.by_name["MaxInlineLevel"].default == 11
    assert serial.space.by_name["gc"].default == "Serial"


def test_the_heap_of_the_jvm_starts_as_a_share_of_what_it_may_grow_to():
    pack = loaded("jvm")
    assert pack.arguments({**pack.space.default, "heap": 400, "heap-start": 25}) == ("-Xmx400m", "-Xms100m")


def test_flags_of_a_collector_hang_on_it():
    pack = loaded("jvm")
    values = {**pack.space.default, "gc": "Serial", "MaxGCPauseMillis": 50, "NewRatio": 3}
    assert pack.arguments(values) == ("-XX:+UseSerialGC", "-XX:NewRatio=3")


def test_gcc_is_told_the_level_first():
    pack = loaded("gcc")
    values = {**pack.space.default, "O": "3", "gcse": "off", "unroll-loops": "on", "param-max-unroll-times": 4}
    assert pack.arguments(values) == ("-O3", "-fno-gcse", "-funroll-loops", "--param=max-unroll-times=4")


def test_the_level_of_the_command_is_the_default():
    loaded("gcc")
    assert packs.base("gcc", ("gcc", "-O3", "{gcc}", "x.c")) == ("-O3",)
    pack = packs.load("gcc", base=("-O3",))
    assert pack.space.by_name["O"].default == "3"
    assert pack.space.by_name["unswitch-loops"].values == ("level", "off")  # it is on at -O3


def test_sqlite_reads_back_what_it_was_told(tmp_path: Path):
    pack = loaded("sqlite")
    values = {
        **pack.space.default,
        "page_size": 8192,
        "journal_mode": "wal",
        "cache_size": 5000,
        "wal_autocheckpoint": 77,
    }
    asked = "CREATE TABLE t(x); PRAGMA page_size; PRAGMA journal_mode; PRAGMA cache_size; PRAGMA wal_autocheckpoint;"
    said = run(pack.tool, "-batch", str(tmp_path / "d"), *pack.arguments(values), asked)
    assert said.split() == ["8192", "wal", "-5000", "77"]
    assert "PRAGMA page_size = 8192;\n" in pack.setting(values).files["pragmas.sql"]


def test_nothing_about_durability_is_on_offer():
    names = {
        knob.name
        for name in ("sqlite", "redis", "postgresql")
        for knob in packs.load(name, everything=True).space.knobs
    }
    assert not names & {
        "synchronous",
        "appendonly",
        "appendfsync",
        "save",
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    }
    assert "off" not in loaded("sqlite").space.by_name["journal_mode"].values


def test_postgresql_takes_random_configurations_and_its_ranges_are_its_own():
    pack = loaded("postgresql")
    psycopg = pytest.importorskip("psycopg")
    values = pack.space.draw(np.random.default_rng(3))
    settings = dict(pair.split("=", 1) for pair in pack.arguments(values)[1::2])
    assert settings
    with temporary_server(settings) as dsn, psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT name, setting, min_val, max_val, vartype FROM pg_settings").fetchall()
        running = packs.load("postgresql", dsn)
    told = {name: (value, low, high, kind) for name, value, low, high, kind in rows}
    for name, wanted in settings.items():
        value, low, high, kind = told[name]
        assert value == wanted or float(value) == pytest.approx(float(wanted), rel=1e-5)
        if kind in ("integer", "real"):
            assert float(low) <= float(wanted) <= float(high)
            assert float(low) <= pack.space.by_name[name].low
            assert pack.space.by_name[name].high <= float(high)
    work_mem = running.space.by_name["work_mem"]  # the defaults are those of the server that was asked
    assert str(work_mem.default) == told["work_mem"][0]


def test_environment_variables():
    openmp = loaded("openmp")
    values = {**openmp.space.default, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": 10}
    assert openmp.environment(values) == {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10"}
    malloc = loaded("malloc")
    values = {**malloc.space.default, "arena_max": 2, "tcache_count": 3}
    text = "glibc.malloc.arena_max=2:glibc.malloc.tcache_count=3"
    assert malloc.environment(values) == {"GLIBC_TUNABLES": text}
    told = run(malloc.tool, "--list-tunables", environment=malloc.environment(values))
    assert re.search(r"glibc.malloc.arena_max: (0x2|2) ", told)


@pytest.mark.parametrize("name", ["gcc", "clang", "redis", "zstd"])
def test_everything_is_more(name: str):
    few, all_ = loaded(name), packs.load(name, everything=True)
    assert set(few.space.by_name) < set(all_.space.by_name)


def test_a_pack_that_is_not_there():
    with pytest.raises(UnknownName, match="Did you mean 'redis'"):
        packs.load("rediss")
