# SPDX-License-Identifier: Apache-2.0
"""A Redis of one's own under its own benchmark: ``redis_load.py MIX SCALE SERVER ARGUMENT...``. Needs Python and Redis.

The server is reached through a socket in a temporary directory, keeps nothing, and ends
with this program. Prints ``server: S``, its CPU seconds from start to end, ``memory: B``,
its peak of used memory, and ``commands: N``, how many it served without an error.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_KEY = "__rand_int__"  # redis-benchmark puts a random number below -r here
#: of each mix: commands, how many of each at scale 1, and below what the random numbers stay (those of keys, too)
MIXES = {
    "types": (
        (("HSET", "large", _KEY, "value-of-this-field-of-a-hash"), 10000, 400),
        (("HGET", "large", _KEY), 20000, 400),
        (("HSET", "h:" + _KEY, _KEY, "value-of-this-field-of-a-hash"), 10000, 60),
        (("HGET", "h:" + _KEY, _KEY), 10000, 60),
        (("ZADD", "z:" + _KEY, _KEY, "member-" + _KEY), 20000, 100),
        (("ZRANK", "z:" + _KEY, "member-" + _KEY), 20000, 100),
        (("RPUSH", "l:" + _KEY, "an-element-of-a-list-" + _KEY), 12000, 8),
        (("LINDEX", "l:000000000003", "700"), 10000, 8),
        (("LINSERT", "l:000000000003", "BEFORE", "an-element-of-a-list-000000000003", "another"), 500, 8),
        (("SADD", "s:" + _KEY, _KEY), 8000, 180),
        (("SISMEMBER", "s:" + _KEY, _KEY), 8000, 180),
        (("XADD", "x", "*", "field", _KEY, "other", "a-value"), 8000, 100000),
        (("XRANGE", "x", "-", "+", "COUNT", "20"), 1000, 2),
        (("SET", "k:" + _KEY, "a-value-that-goes-away", "PX", "40"), 4000, 100000),
        (("PFADD", "p:" + _KEY, _KEY), 8000, 60),
        (("DEL", "h:" + _KEY, "z:" + _KEY, "s:" + _KEY, "l:" + _KEY), 1000, 180),
    ),
    "shop": (
        (("SET", "page:" + _KEY, "what-a-page-of-the-shop-looks-like-" * 6), 12000, 3000),
        (("GET", "page:" + _KEY), 24000, 3000),
        (("SET", "session:" + _KEY, "who-it-is-and-what-was-seen", "EX", "1"), 8000, 50000),
        (("INCR", "seen:" + _KEY), 12000, 500),
        (("HSET", "basket:" + _KEY, "item-" + _KEY, "1", "price", _KEY, "note", "as-a-present-please"), 8000, 250),
        (("HINCRBY", "basket:" + _KEY, "item-" + _KEY, "1"), 8000, 250),
        (("HGETALL", "basket:" + _KEY), 6000, 250),
        (("HSET", "stock", "article-" + _KEY, _KEY), 8000, 900),
        (("HMGET", "stock", "article-" + _KEY, "article-000000000011"), 12000, 900),
        (("ZINCRBY", "best-sold", "1", "article-" + _KEY), 12000, 250),
        (("ZREVRANGE", "best-sold", "0", "9"), 4000, 2),
        (("ZADD", "week:" + _KEY, _KEY, "article-" + _KEY), 6000, 40),
        (("LPUSH", "orders", "an-order-with-a-number-" + _KEY), 10000, 100000),
        (("LRANGE", "orders", "2000", "2020"), 1500, 2),
        (("RPOP", "orders"), 6000, 2),
        (("SADD", "bought:" + _KEY, _KEY), 10000, 350),
        (("SINTER", "bought:" + _KEY, "bought:000000000005"), 1500, 350),
        (("XADD", "log", "MAXLEN", "~", "3000", "*", "who", _KEY, "did", "look"), 8000, 100000),
        (("XREVRANGE", "log", "+", "-", "COUNT", "10"), 1500, 2),
        (("PFADD", "visitors", _KEY), 6000, 30000),
        (("PFCOUNT", "visitors"), 1000, 2),
        (("DEL", "basket:" + _KEY, "bought:" + _KEY, "page:" + _KEY), 1500, 350),
    ),
}


def reply(path: str, command: bytes) -> bytes:
    """The answer to one inline command; the server closes the connection after QUIT."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(command + b"\r\nQUIT\r\n")
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)


def load(path: str, mix: str, scale: float) -> None:
    for command, count, below in MIXES[mix]:
        n = str(max(1, int(count * scale)))
        benchmark = ["redis-benchmark", "-s", path, "-q", "-P", "64", "-c", "4", "-n", n, "-r", str(below)]
        done = subprocess.run([*benchmark, *command], capture_output=True, text=True, check=False)
        if done.returncode or "rror" in done.stdout + done.stderr:
            sys.exit(f"redis-benchmark: {(done.stdout + done.stderr).strip()[-300:]}")


def main() -> None:
    mix, scale, server, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "s"))
        command = [server, "--port", "0", "--unixsocket", path, "--save", "", *options]
        with Path(folder, "log").open("w+b") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                until = time.monotonic() + 10
                while not Path(path).exists():
                    if process.poll() is not None or time.monotonic() > until:
                        log.seek(0)
                        sys.exit(f"redis-server did not start: {log.read().decode(errors='replace')[-300:]}")
                    time.sleep(0.002)
                load(path, mix, float(scale))
                told = reply(path, b"INFO ALL").decode(errors="replace")
                reply(path, b"SHUTDOWN NOSAVE")
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
    if process.returncode:
        sys.exit(f"redis-server ended with {process.returncode}")
    print(f"server: {used.ru_utime + used.ru_stime:.6f}")
    print(f"memory: {_number('used_memory_peak', told)}")
    print(f"commands: {_number('total_commands_processed', told) - _number('total_error_replies', told)}")


def _number(name: str, told: str) -> int:
    found = re.search(rf"^{name}:(\d+)", told, re.MULTILINE)
    return int(found.group(1)) if found else sys.exit(f"INFO does not tell {name}")


if __name__ == "__main__":
    main()
