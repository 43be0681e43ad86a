"""Checksums of files, computed once a process and version of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

_known: dict[tuple[str, int, int, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """A file's sha256; a file that has not been touched since it was last asked for is not read again."""
    status = path.stat()
    version = (str(path.absolute()), status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    if version not in _known:
        with path.open("rb") as stream:
            _known[version] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _known[version]
