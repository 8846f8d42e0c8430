# SPDX-License-Identifier: Apache-2.0
"""Against a server that truncates, corrupts, redirects, stalls and lies: nothing wrong is ever accepted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import CONTENT, Behaviour, Server, head, make_file, raw, serve, status, then_hang
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.core.errors import DataError, MissingData
from trimtab.data import Dataset, File, download, fetch, locate, store

Register = Callable[..., Dataset]
OTHER = bytes(reversed(CONTENT))
LENGTH = f"Content-Length: {len(CONTENT)}"


def bring(stall_s: float = 5.0) -> bytes:
    def bounded(file: File, done: int) -> None:
        assert done <= file.size

    (path,) = fetch("numbers", stall_s=stall_s, progress=bounded)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab.data.mirrors.PAUSE_S", 0.0)


def patience(mistake: str) -> float:
    """Short where the server hangs; else long enough for a busy machine."""
    return 0.2 if "stalls" in mistake or "silent" in mistake else 5.0


def part() -> Path:
    return store.cache_folder() / "data/numbers/1/numbers.bin.part"


def target() -> Path:
    return part().with_suffix("")


def test_a_file_is_downloaded_once(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve())))
    assert bring() == CONTENT
    assert bring() == CONTENT
    assert server.requests["/a"] == 1
    assert not part().exists()
    assert locate("numbers", "numbers.bin") == target()


def test_progress_reaches_the_size(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve())))
    seen: list[int] = []
    fetch("numbers", progress=lambda file, done: seen.append(done))
    assert seen[0] == 0 and seen == sorted(seen) and seen[-1] == len(CONTENT)


def test_a_broken_download_resumes(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve(cut=100_000), serve(cut=50_000), serve())))
    assert bring() == CONTENT
    assert server.ranges == [0, 100_000, 150_000]


def test_an_interrupted_download_resumes_in_the_next_call(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve())))

    def interrupt(file: object, done: int) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("numbers", progress=interrupt)
    kept = part().stat().st_size
    assert kept > 100_000 and not target().exists()
    assert bring() == CONTENT
    assert server.ranges == [0, kept]


def test_a_resumed_download_can_go_on_at_another_mirror(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve(cut=1000), status(404)), server.on("/b", serve())))
    assert bring() == CONTENT
    assert server.ranges == [0, 1000]


def test_a_server_that_ignores_range_starts_again(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve(cut=1000, ranges=False), serve(ranges=False))))
    assert bring() == CONTENT
    assert server.ranges == [0, 1000]


def test_a_part_that_is_complete_is_not_asked_for_again(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", status(500))))
    part().parent.mkdir(parents=True)
    part().write_bytes(CONTENT)
    assert bring() == CONTENT
    assert not server.requests


@pytest.mark.parametrize("rubbish", [OTHER[:999], OTHER, OTHER + b"more"], ids=["short", "whole", "long"])
def test_rubbish_in_the_part_is_thrown_away(server: Server, register: Register, rubbish: bytes) -> None:
    register(make_file(server.on("/a", serve())))
    part().parent.mkdir(parents=True)
    part().write_bytes(rubbish)
    assert bring() == CONTENT


MISTAKES: dict[str, tuple[Behaviour, str]] = {
    "corrupt": (serve(CONTENT[:-1] + b"x"), "sha256"),
    "too short": (serve(CONTENT[:-1]), "307199 bytes"),
    "too long": (serve(CONTENT + b"x"), "307201 bytes"),
    "longer than it says": (raw(head(200, LENGTH), OTHER, b"x" * 100_000), "sha256"),
    "a length that is none": (raw(head(200, "Content-Length: many"), CONTENT), "many bytes"),
    "a negative length": (raw(head(200, "Content-Length: -1"), CONTENT), "-1 bytes"),
    "an endless body": (raw(head(200), *[OTHER] * 200), "sha256"),
    "compressed": (raw(head(200, "Content-Encoding: gzip", LENGTH), CONTENT), "gzip"),
    "always truncated at once": (serve(cut=0), "after 0 of"),
    "not found": (status(404), "404"),
    "forbidden": (status(403), "403"),
    "always ill": (status(503), "503"),
    "no content": (status(204), "204"),
    "a range that nobody asked for": (raw(head(206, "Content-Range: bytes 5-9/10"), b"01234"), "range"),
    "no http": (raw(b"\x00\xff\x00 hello\r\n\r\n"), "no answer"),
    "nothing": (raw(), "no answer"),
    "silent": (then_hang(raw()), "timed out"),
    "stalls in the head": (then_hang(raw(b"HTTP/1.1 200 OK\r\n")), "timed out"),
    "stalls in the body": (then_hang(raw(head(200, LENGTH))), "timed out"),
    "redirects to a file": (status(302, "Location: file:///etc/hostname"), "file"),
    "redirects to ftp": (status(301, "Location: ftp://127.0.0.1/x"), "ftp"),
    "redirects to nothing": (status(302), "5 redirects"),
    "redirects in a circle": (status(307, "Location: /a"), "5 redirects"),
    "bad chunks": (raw(head(200, "Transfer-Encoding: chunked"), b"zz\r\nxx\r\n"), "broke off"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nothing_wrong_is_accepted(
    server: Server, register: Register, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.data.mirrors.ROUNDS", 1)
    behaviour, said = MISTAKES[mistake]
    register(make_file(server.on("/a", behaviour)))
    with pytest.raises(DataError, match=said):
        bring(patience(mistake))
    assert not target().exists()
    assert not part().exists() or part().stat().st_size <= len(CONTENT)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_another_mirror_mends_it(server: Server, register: Register, mistake: str) -> None:
    register(make_file(server.on("/a", MISTAKES[mistake][0]), server.on("/b", serve())))
    assert bring(patience(mistake)) == CONTENT


def test_the_old_file_survives(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve(OTHER))))
    target().parent.mkdir(parents=True)
    target().write_bytes(b"what was here before")
    with pytest.raises(DataError):
        bring()
    assert target().read_bytes() == b"what was here before"


def test_a_trickle_is_given_up(server: Server, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(connection: object, _: int) -> None:
        connection.sendall(head(200, LENGTH))  # type: ignore[attr-defined]
        for _ in range(40):
            connection.sendall(b"x")  # type: ignore[attr-defined]
            stop.wait(0.02)

    stop = threading.Event()
    monkeypatch.setattr("trimtab.data.mirrors.ROUNDS", 1)
    register(make_file(server.on("/a", trickle)))
    with pytest.raises(DataError, match="slower than"):
        bring(0.1)


def test_redirects_are_followed(server: Server, register: Register) -> None:
    server.on("/end", serve())
    server.on("/middle", status(308, f"Location: {server.url}/end"))
    register(make_file(server.on("/a", status(302, "Location: middle"))))
    assert bring() == CONTENT


@pytest.mark.parametrize(
    ("before", "location", "after"),
    [
        ("https://a.org/x", "http://a.org/x", None),
        ("https://a.org/x", "file:///x", None),
        ("http://a.org/x", "data:,x", None),
        ("http://a.org/x", "https://b.org/y", "https://b.org/y"),
        ("https://a.org/x/y", "../z", "https://a.org/z"),
        ("https://a.org/x", "//b.org/z", "https://b.org/z"),
    ],
)
def test_redirects_never_leave_the_web_nor_give_up_encryption(before: str, location: str, after: str | None) -> None:
    if after is not None:
        assert download._redirect(before, location) == after
    else:
        with pytest.raises(download.Refused, match="redirects from"):
            download._redirect(before, location)


def test_chunked_transfer_is_fine(server: Server, register: Register) -> None:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
    register(make_file(server.on("/a", raw(head(200, "Transfer-Encoding: chunked"), body))))
    assert bring() == CONTENT


def test_a_server_that_recovers_is_asked_again(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", status(503), raw(), then_hang(serve(cut=10)), serve())))
    assert bring(0.2) == CONTENT


def test_416_drops_the_part(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", status(416), serve())))
    part().parent.mkdir(parents=True)
    part().write_bytes(CONTENT[:10])
    assert bring() == CONTENT
    assert server.ranges == [10, 0]


def test_a_wrong_range_is_refused(server: Server, register: Register) -> None:
    answer = raw(head(206, f"Content-Range: bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"), CONTENT)
    register(make_file(server.on("/a", answer), server.on("/b", serve())))
    part().parent.mkdir(parents=True)
    part().write_bytes(CONTENT[:10])
    assert bring() == CONTENT


def test_two_at_a_time_download_once(server: Server, register: Register) -> None:
    register(make_file(server.on("/a", serve())))
    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests["/a"] == 1
    assert target().read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_is_said(
    server: Server, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_file(server.on("/a", serve())))
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "a-file"))
    with pytest.raises(DataError, match="can't be written"):
        bring()


def test_what_nobody_publishes_is_said_after_the_rest_was_fetched(server: Server, register: Register) -> None:
    register(make_file(content=b"private", name="private.bin"), make_file(server.on("/a", serve())))
    with pytest.raises(MissingData, match=r"private\.bin.*trimtab data import"):
        fetch("numbers")
    assert target().read_bytes() == CONTENT


FAULTS: list[Behaviour] = [
    serve(cut=1),
    serve(cut=200_000),
    serve(OTHER),
    serve(OTHER, cut=150_000),
    serve(ranges=False, cut=3000),
    serve(CONTENT[:-5]),
    status(500),
    status(416),
    status(302, "Location: /good"),
    raw(),
    raw(head(206, f"Content-Range: bytes 1-2/{len(CONTENT)}"), b"ab"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=5), min_size=1, max_size=3))
def test_whatever_the_mirrors_do_the_result_is_right_or_an_error(
    server: Server, register: Register, mirrors: list[list[Behaviour]]
) -> None:
    server.on("/good", serve())
    register(make_file(*(server.on(f"/{number}", *faults) for number, faults in enumerate(mirrors))))
    for path in (target(), part()):
        path.unlink(missing_ok=True)
    try:
        assert bring() == CONTENT
    except DataError:
        assert not target().exists()
