"""What a task has on the node that it is carried out on; this module runs there."""

from __future__ import annotations

import os
import platform
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from genbab.errors import UsageError
from genbab.version import __version__

T = TypeVar("T")
WAKE = 0.1  # seconds between two looks at the work of another thread
LAST = 5.0  # seconds that an interrupted work is waited for
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def versions() -> dict[str, str]:
    """What must be the same on every node: genbab, and Python without its patch level."""
    return {"genbab": __version__, "python": ".".join(platform.python_version_tuple()[:2])}


@dataclass(frozen=True)
class TaskSetup:
    """What every task of a run is told: cores, the name of the folder for files, the versions here."""

    cpus: int
    folder: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Workplace:
    """What a task has: cores, a folder on its node for files of this run, and what the driver keeps for it.

    fetch: the bytes with this hash.
    """

    cpus: int
    folder: Path
    fetch: Callable[[str], bytes]


def at_work(
    function: Callable[..., T], arguments: tuple[Any, ...], setup: TaskSetup, data: Mapping[str, Any]
) -> T:
    """What the function returns for a `Workplace` and these arguments; raises as `set_up`."""
    set_up(setup)
    import ray

    place = Workplace(setup.cpus, private_folder(setup.folder), lambda name: bytes(ray.get(data[name])))
    return function(place, *arguments)


def set_up(setup: TaskSetup) -> None:
    """Let this process and those that it starts use as many threads as there are cores for it.

    Raises `UsageError` on a node of other versions.
    """
    if versions() != dict(setup.versions):
        raise UsageError(f"node {platform.node()}: {different(versions(), setup.versions)}")
    os.environ.update(dict.fromkeys(THREADS, str(setup.cpus)))


def different(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """What of a node's versions differs from the driver's."""
    wrong = [n for n in wanted if found.get(n) != wanted[n]]
    return ", ".join(f"{n} is {found.get(n) or 'missing'} there and {wanted[n]} here" for n in wrong)


def private_folder(name: str) -> Path:
    """The folder of this name among the node's temporary files, of this user alone.

    Raises `UsageError` where it is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    own = not hasattr(os, "geteuid") or (facts.st_uid == os.geteuid() and not facts.st_mode & 0o077)
    if folder.is_symlink() or not folder.is_dir() or not own:
        raise UsageError(f"node {platform.node()}: {folder} belongs to somebody else")
    return folder


def interruptible(work: Callable[[], T], end: Callable[[], None]) -> T:
    """What `work` returns or raises, done in another thread.

    An interruption of this one, which a wait for a process would not notice, calls `end` and waits for it.
    """
    found: list[T] = []
    trouble: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            trouble.append(error)
        finally:
            done.set()

    try:
        threading.Thread(target=run, daemon=True).start()
        while not done.wait(WAKE):
            pass
    except BaseException:
        end()
        done.wait(LAST)
        raise
    if trouble:
        raise trouble[0]
    return found[0]
