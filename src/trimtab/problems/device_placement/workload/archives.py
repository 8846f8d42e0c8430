# SPDX-License-Identifier: Apache-2.0
"""Members of a tar archive that somebody else made: regular files, of sane size, read into memory only."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path, PurePosixPath
from typing import Final

from trimtab.core.errors import InvalidInstance

MOST_MEMBERS: Final = 10_000
MOST_BYTES: Final = 1 << 28  # unpacked, of one archive


def read_members(path: Path, suffix: str) -> dict[str, bytes]:
    """``{name: contents}`` of the regular files whose name ends with `suffix`. Nothing is written anywhere.

    Links, devices and names that lead out of the archive are refused; so is one
    that would unpack to more than `MOST_BYTES`.
    """
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise InvalidInstance(f"archive {path}: more than {MOST_MEMBERS} members")
                if member.isdir():
                    continue
                if not member.isreg():
                    raise InvalidInstance(f"archive {path}: {member.name!r} is a link or a device, not a file")
                if member.name.startswith("/") or ".." in PurePosixPath(member.name).parts:
                    raise InvalidInstance(f"archive {path}: {member.name!r} leads out of the archive")
                total += member.size
                if total > MOST_BYTES:
                    raise InvalidInstance(f"archive {path}: unpacks to more than {MOST_BYTES} bytes")
                if member.name.endswith(suffix):
                    stream = archive.extractfile(member)
                    assert stream is not None  # of a regular file
                    found[member.name] = stream.read()
    except FileNotFoundError:
        raise InvalidInstance(f"archive {path}: there is no such file") from None
    except (tarfile.TarError, lzma.LZMAError, OSError, EOFError) as error:
        raise InvalidInstance(f"archive {path}: not a whole tar archive ({error})") from error
    return found
