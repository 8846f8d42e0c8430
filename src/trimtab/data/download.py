# SPDX-License-Identifier: Apache-2.0
"""One file from one address, over http or https: bounded, resumable, and suspicious.

What arrives is not trusted: the caller compares its sha256 with the card.
"""

from __future__ import annotations

import http.client
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit

REDIRECTS: Final = 5
SLOWEST: Final = 1024  # bytes a second, over any stretch of `stall_s`
CHUNK: Final = 1 << 16

_TRANSIENT: Final = (408, 425, 429)  # and every 5xx


class Broken(Exception):
    """It ended before its time; what came is kept, and another try may bring the rest."""


class Refused(Exception):
    """This address will not do, now or later."""


def receive(url: str, part: Path, size: int, *, stall_s: float, advance: Callable[[int], None]) -> None:
    """Bring `part` to `size` bytes, going on from those it has where the server can.

    `advance` is told how many bytes are there, again and again. Never reads more
    than `size` bytes. Raises `Broken` or `Refused`.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "trimtab", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _open(url, headers, stall_s) as response:
        start = _start(response, part, have, size)
        with part.open("ab" if start else "wb") as out:
            advance(start)
            for chunk in _chunks(response, size - start, stall_s):
                out.write(chunk)
                advance(out.tell())
            have = out.tell()
    if have < size:
        raise Broken(f"ended after {have} of {size} bytes")


def _open(url: str, headers: dict[str, str], stall_s: float) -> Any:
    """The answer after redirects, whatever its status. Its body has not been read."""
    for _ in range(REDIRECTS + 1):
        try:
            response = _opener().open(urllib.request.Request(url, headers=headers), timeout=stall_s)
        except (URLError, OSError, http.client.HTTPException, ValueError) as error:
            raise Broken(f"no answer: {getattr(error, 'reason', error) or type(error).__name__}") from error
        if response.status not in (301, 302, 303, 307, 308):
            return response
        response.close()
        url = _redirect(url, response.headers.get("Location", ""))
    raise Refused(f"more than {REDIRECTS} redirects")


def _opener() -> urllib.request.OpenerDirector:
    """http and https only, through the proxy of the environment; redirects and statuses are ours to judge."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    return opener


def _redirect(url: str, location: str) -> str:
    target = urljoin(url, location)
    before, after = urlsplit(url).scheme, urlsplit(target).scheme
    if after not in ("http", "https") or (before == "https" and after == "http"):
        raise Refused(f"redirects from {before} to {target!r}")
    return target


def _start(response: Any, part: Path, have: int, size: int) -> int:
    """Where in the file the body of this answer begins."""
    status, headers = response.status, response.headers
    if status == 416:
        part.unlink(missing_ok=True)
        raise Broken("can't go on from what is here; it was dropped")
    if status in _TRANSIENT or status >= 500:
        raise Broken(f"status {status}")
    if status not in (200, 206):
        raise Refused(f"status {status}")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(f"sends it as {headers['Content-Encoding']}")
    start, total = (0, headers.get("Content-Length")) if status == 200 else _content_range(headers, have)
    if total is not None and total != str(size):
        raise Refused(f"offers {total} bytes where the card says {size}")
    return start


def _content_range(headers: Any, have: int) -> tuple[int, str | None]:
    found = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        raise Refused(f"answers with another range than asked for: {headers.get('Content-Range')!r}")
    return have, None if found[2] == "*" else found[2]


def _chunks(response: Any, limit: int, stall_s: float) -> Iterator[bytes]:
    """The body, up to `limit` bytes, for as long as it flows."""
    received = mark = 0
    since = time.monotonic()
    while received < limit:
        try:
            chunk = response.read1(min(CHUNK, limit - received))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Broken(f"broke off: {error or type(error).__name__}") from error
        if not chunk:
            return
        received += len(chunk)
        yield chunk
        now = time.monotonic()
        if now - since >= stall_s:
            if received - mark < SLOWEST * stall_s:
                raise Broken(f"slower than {SLOWEST} bytes a second")
            mark, since = received, now
