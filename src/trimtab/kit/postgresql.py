# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of one's own: made in a temporary directory, reached only through a socket in it, gone at the end."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from trimtab.core.errors import TrimtabError
from trimtab.core.extras import need, need_tool

_PRIVATE: Final[Mapping[str, str]] = {"listen_addresses": ""}
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``: Debian's newest, or that of ``postgres`` on PATH."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    return need_tool("postgres", debian="postgresql", purpose="a PostgreSQL of one's own").resolve().parent


@contextmanager
def temporary_server(
    settings: Mapping[str, str] | None = None, *, initdb: Sequence[str] = (), keep: Path | None = None
) -> Iterator[str]:
    """The DSN of a fresh, empty server. PostgreSQL refuses to run as root, so root starts it as ``postgres`` or
    ``nobody``.

    `initdb`: more arguments for it. `keep`: where the stopped server's data directory
    is copied to if all goes well.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="trimtab-pg-"))  # short: a socket's path has at most 107 bytes
    identity = _unprivileged(folder)
    data, log = folder / "data", folder / "log"
    process = None
    try:
        _run([programs / "initdb", "-D", data, "-U", "trimtab", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
              *initdb], folder, identity)  # fmt: skip
        options = [f"-c{key}={value}" for key, value in {**_PRIVATE, **(settings or {})}.items()]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, f"-cunix_socket_directories={folder}", *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder,
                user=identity.user, group=identity.group, extra_groups=identity.groups,
                preexec_fn=_end_with_parent,
            )  # fmt: skip
        dsn = f"host={folder} user=trimtab dbname=postgres"
        _wait(dsn, process, log)
        yield dsn
        if keep is not None:
            _stop(process)
            shutil.copytree(data, keep)
    finally:
        if process is not None and process.poll() is None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


class _Identity(NamedTuple):
    """Whom a program runs as; None is who runs this."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] | None = None


def _end_with_parent() -> None:
    """In the child: a fast shutdown when the process that started it dies, even if that was killed (Linux)."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    except (OSError, AttributeError):  # another system: then `temporary_server` alone ends it
        return


def _unprivileged(folder: Path) -> _Identity:
    """Somebody without root's rights; the folder then belongs to them."""
    if os.geteuid() != 0:
        return _Identity()
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return _Identity(user.pw_uid, user.pw_gid, ())
    raise TrimtabError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as")


def _run(command: list[Any], folder: Path, identity: _Identity) -> None:
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment,
        user=identity.user, group=identity.group, extra_groups=identity.groups,
    )  # fmt: skip
    if done.returncode:
        raise TrimtabError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")


def _wait(dsn: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    psycopg = need("psycopg", extra="sql", purpose="talking to PostgreSQL")
    until = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace").strip()[-500:]
                raise TrimtabError(f"the temporary PostgreSQL did not start: {said or error}") from error
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown: sessions are ended. Kill only if that takes a minute."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
