"""Files that appear whole or not at all; devices and pipes, which are written to as they are."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from genbab.errors import UsageError


def replaceable(path: Path) -> bool:
    """Whether another file may take this place: nothing is there, or an ordinary file.

    False for devices, pipes and folders, and for names like /dev/stdout and /dev/fd/3 whatever they lead to:
    removing or replacing them would take them from everybody.
    """
    folder = os.path.realpath(path.parent)
    if folder in ("/dev", "/dev/fd", "/proc") or folder.startswith("/proc/"):
        return False
    return path.is_file() or not path.exists()


def _put(path: Path, data: bytes) -> None:
    """Write to a device or a pipe; /dev/stdout and /dev/fd/3 go on where that file stands."""
    if path.is_symlink() and os.path.realpath(path.parent) == "/dev":
        path = path.parent / os.readlink(path)
    own = path.name.isdecimal() and os.path.realpath(path.parent) == os.path.realpath("/proc/self/fd")
    if own:
        with open(int(path.name), "wb", closefd=False) as file:
            file.write(data)
        return
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))  # an error where nobody reads a pipe
    with os.fdopen(handle, "wb") as file:
        if hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        file.write(data)


def write_atomically(path: Path, content: str | bytes) -> None:
    """The file holds `content` (text as UTF-8), or what it held before.

    What is not `replaceable` is written to instead. Raises `UsageError` when it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        if not replaceable(path):
            _put(path, data)
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
