"""Files on their way to nodes: named by what is in them, written once per node."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbab.cluster.workplace import Workplace


@dataclass(frozen=True)
class Package:
    """A file and those that it needs beside it: the SHA-256 of each by its path from there.

    name: of the file itself.
    """

    name: str
    files: Mapping[str, str]

    @property
    def hash(self) -> str:
        """SHA-256 of names and contents."""
        listed = "\n".join(f"{digest} {name}" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(listed.encode()).hexdigest()


def packed_file(
    path: Path, keep: Callable[[bytes], str], others: Callable[[bytes, Path], Sequence[Path]]
) -> Package:
    """The package of a file, whose bytes are given to `keep`, which returns their SHA-256.

    others: the files that these bytes need, in the folder that they lie in. Raises OSError where one cannot
    be read or is no plain file.
    """
    data = _read(path)
    home = path.parent.resolve()
    files = {path.name: keep(data)}
    for other in others(data, path.parent):
        files[other.relative_to(home).as_posix()] = keep(_read(other))
    return Package(path.name, files)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    return path.read_bytes()


def unpacked(package: Package, place: Workplace) -> Path:
    """Where the file lies on this node, with what it needs beside it; written where it does not lie yet.

    Raises OSError where it cannot be written, or came with other bytes than were sent.
    """
    home = place.folder / package.hash
    if not home.is_dir():
        made = Path(tempfile.mkdtemp(dir=place.folder, prefix="."))
        try:
            for name, digest in package.files.items():
                data = place.fetch(digest)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise OSError(f"{name} came with other bytes than were sent")
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_bytes(data)
            os.rename(made, home)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            if not home.is_dir():  # else another process was faster
                raise
    return home / package.name
