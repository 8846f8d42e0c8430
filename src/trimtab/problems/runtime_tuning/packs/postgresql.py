# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: what ``pg_settings`` of a server says of each setting: type, unit, range, values, default, context.

The server is one of our own, unless the pack is loaded for an address
(``load("postgresql", "host=... dbname=...")``): then the defaults are what that server
runs with now. What changes whether data survive, who may connect, and where files lie
is never on offer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import Unavailable
from trimtab.core.extras import need
from trimtab.kit.postgresql import binaries, temporary_server

from ..space import Knob, KnobSpace, Value
from .asking import around
from .pack import Pack, Setting

FILE: Final = "tuned.conf"
_BYTES: Final = {"B": 1, "kB": 1 << 10, "8kB": 1 << 13, "MB": 1 << 20}
_KB, _MB, _GB = 1 << 10, 1 << 20, 1 << 30

#: settings that tend to matter, with the part of the range that is worth a try; sizes in bytes
_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "shared_buffers": (_MB, _GB),
    "work_mem": (128 * _KB, 256 * _MB),
    "hash_mem_multiplier": (1, 8),
    "effective_cache_size": (8 * _MB, 64 * _GB),
    "random_page_cost": (0.1, 16),
    "seq_page_cost": (0.1, 4),
    "cpu_tuple_cost": (0.001, 0.1),
    "cpu_index_tuple_cost": (0.0005, 0.05),
    "cpu_operator_cost": (0.00025, 0.025),
    "jit_above_cost": (10_000, 10_000_000),
    "max_parallel_workers_per_gather": (0, 8),
    "min_parallel_table_scan_size": (64 * _KB, 256 * _MB),
    "parallel_setup_cost": (1, 100_000),
    "parallel_tuple_cost": (0.001, 1),
    "join_collapse_limit": (1, 20),
    "effective_io_concurrency": (0, 256),
    "bgwriter_delay": (10, 5000),
    "wal_writer_delay": (1, 5000),
}
_SWITCHES: Final = (
    "jit", "enable_nestloop", "enable_mergejoin", "enable_hashjoin", "enable_hashagg", "enable_memoize",
    "enable_material", "enable_bitmapscan", "enable_indexonlyscan", "enable_incremental_sort", "geqo",
)  # fmt: skip
_CHOICES: Final = ("wal_compression", "plan_cache_mode")
_WHEN: Final[Mapping[str, Mapping[str, tuple[Value, ...]]]] = {"jit_above_cost": {"jit": (True,)}}
#: of everything: durability, security, other servers, places, what is said in logs and to clients, tests
_KEPT: Final = re.compile(
    r"fsync|full_page|synchronous_commit|wal_level|wal_sync|wal_log_hints|checksum|zero_damaged|ignore_|archive|recovery|"
    r"restore|promote|primary|standby|replica|wal_receiver|wal_sender|wal_retrieve|wal_keep|slot|hot_|ssl|krb|password|auth|role|"
    r"row_security|privileges|listen|port|socket|unix|tcp_|bonjour|directory|_file|cluster_name|external|log_|logging|syslog|event_|"
    r"debug|trace|client_|lc_|DateStyle|TimeZone|datestyle|timezone|IntervalStyle|bytea|xml|array_nulls|backslash|escape_string|"
    r"standard_conforming|transform_null|quote_all|search_path|default_table|default_tablespace|temp_tablespaces|transaction|"
    r"timeout|lo_compat|max_connections|superuser_reserved|max_locks|max_pred|max_files|max_worker|max_prepared|max_stack|"
    r"session_|local_preload|shared_preload|dynamic_library|jit_provider|exit_on|restart_after|data_sync|post_auth|pre_auth|"
    r"huge_page|shared_memory|dynamic_shared|autovacuum$|server_|track_|update_process|application_name|check_function|"
    r"allow_|db_user|force_parallel|debug_parallel|geqo_seed|stats_|compute_query|temp_file_limit|extra_float|gin_fuzzy|vacuum_.*age|multixact|freeze|statement_|idle_|lock_|in_hot|_dump"
)


@dataclass(frozen=True)
class Parameter:
    """A row of ``pg_settings``; `low`, `high` and `value` in its unit."""

    name: str
    kind: str  # bool, integer, real, enum, string
    unit: str
    value: str
    low: float
    high: float
    choices: tuple[str, ...]
    context: str  # when a change takes effect: postmaster, sighup, user, ...
    about: str


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    address = tool if "=" in tool or "://" in tool else ""
    with _server(address, base) as dsn:
        said, found = _settings(dsn)
    knobs = tuple(_knobs(found, everything))
    if not knobs:
        raise Unavailable("pg_settings lists none of the settings that can be tuned")
    return Pack(name, "" if address else str(_program(tool)), said, KnobSpace(knobs), write)


def _program(tool: str) -> Path:
    return Path(tool) if os.sep in tool else binaries() / "postgres"


def _server(address: str, base: Sequence[str]) -> AbstractContextManager[str]:
    if address:
        return nullcontext(address)
    given = (word.removeprefix("-c").partition("=") for word in base if word.startswith("-c") and "=" in word)
    return temporary_server({key: value for key, _, value in given})


def _settings(dsn: str) -> tuple[str, dict[str, Parameter]]:
    psycopg = need("psycopg", extra="sql", purpose="the knob pack 'postgresql'")
    columns = (
        "name, vartype, coalesce(unit, ''), setting, min_val, max_val, coalesce(enumvals, '{}'), context, short_desc"
    )
    try:
        with psycopg.connect(dsn, connect_timeout=10, options="-c default_transaction_read_only=on") as connection:
            rows = connection.execute(f"SELECT {columns} FROM pg_settings").fetchall()
            version = str(connection.execute("SHOW server_version").fetchone()[0])
    except psycopg.Error as error:
        raise Unavailable(f"PostgreSQL does not tell its settings: {error}") from error
    return version.split()[0], {row[0]: _parameter(row) for row in rows}


def _parameter(row: Sequence[Any]) -> Parameter:
    name, kind, unit, value, low, high, choices, context, about = row
    return Parameter(
        name, kind, unit, value, float(low or "-inf"), float(high or "inf"), tuple(choices), context, about or ""
    )


def _knobs(found: Mapping[str, Parameter], everything: bool) -> Iterator[Knob]:
    for name, parameter in found.items():
        wanted = name in _NUMBERS or name in _SWITCHES or name in _CHOICES
        if parameter.context == "internal" or not (wanted or (everything and not _KEPT.search(name))):
            continue
        knob = _knob(parameter)
        if knob:
            yield knob


def _knob(parameter: Parameter) -> Knob | None:
    more: dict[str, Any] = {
        "restart": parameter.context == "postmaster",
        "about": parameter.about,
        "unit": parameter.unit,
        "when": _WHEN.get(parameter.name, {}),
    }
    if parameter.kind == "bool":
        return Knob(parameter.name, "bool", parameter.value == "on", **more)
    if parameter.kind == "enum" and parameter.value in parameter.choices and len(parameter.choices) > 1:
        return Knob(parameter.name, "enum", parameter.value, values=parameter.choices, **more)
    if parameter.kind in ("integer", "real"):
        return _number(parameter, more)
    return None


def _number(parameter: Parameter, more: dict[str, Any]) -> Knob | None:
    """A number in its own unit; one that is 0 or -1 for "off" or "automatic" keeps that as a special value."""
    whole = parameter.kind == "integer"
    default: int | float = int(parameter.value) if whole else float(parameter.value)
    if parameter.name in _NUMBERS:
        scale = _BYTES.get(parameter.unit, 1)
        low, high = (bound / scale for bound in _NUMBERS[parameter.name])
        low, high = max(low, parameter.low), min(high, parameter.high)
    else:
        low, high, _ = around(default, parameter.low, parameter.high)
    if whole:
        low, high = -(-low // 1), high // 1
    special: tuple[int | float, ...] = () if low <= default <= high else (default,)
    if low >= high:
        return None
    log = low > 0 and high > 16 * low
    kind = "int" if whole else "real"
    return Knob(parameter.name, kind, default, low, high, log=log, special=special, **more)  # type: ignore[arg-type]  # a Kind


def write(changed: Mapping[str, Value]) -> Setting:
    """``-c work_mem=65536``, numbers in the setting's own unit; the same in ``{run}/tuned.conf``, to be included."""
    pairs = [(name, _show(value)) for name, value in changed.items()]
    args = [part for name, value in pairs for part in ("-c", f"{name}={value}")]
    return Setting(tuple(args), files={FILE: "".join(f"{name} = '{value}'\n" for name, value in pairs)})


def _show(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
