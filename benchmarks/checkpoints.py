"""What a checkpoint with many open domains takes: those of a search, repeated until there are so many.

    python benchmarks/checkpoints.py [NAME ...] [--open 100000]

Prints bytes, and seconds by the clock and of the processor of writing it (to the disk, until it is there) and
of reading it, as `genbab resume` does. What the disk takes for as many bytes of zeros is said beside.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crew_scaling.instances import ERAN, SHARED, acasxu  # noqa: E402
from crew_scaling.page import table  # noqa: E402

from genbab.branch import DomainSearch  # noqa: E402
from genbab.branch.search import DomainState  # noqa: E402
from genbab.cli import main as genbab  # noqa: E402
from genbab.cli.verify import kept  # noqa: E402
from genbab.driver import verification  # noqa: E402
from genbab.driver.saved.saver import Saver  # noqa: E402
from genbab.errors import DeadlineReached  # noqa: E402

SEARCHES = {
    "5 inputs (acasxu 1_1 prop_5)": acasxu("1_1", 5),
    "1,200 neurons (eran_sigmoid 9044)": f"{ERAN} --retighten clipped",
}
FIRST = 8
"""Open domains of the search that are repeated."""


@dataclass
class Timed:
    """Seconds of what is called, the last time: by the clock and of the processor."""

    clock: float = 0.0
    processor: float = 0.0

    def __call__(self, do: Callable[[], Any]) -> Any:
        """What it gives."""
        began, worked = time.perf_counter(), time.process_time()
        found = do()
        self.clock, self.processor = time.perf_counter() - began, time.process_time() - worked
        return found

    def __str__(self) -> str:
        return f"{self.clock:.1f} ({self.processor:.1f})"


def written(words: list[str], path: Path, count: int) -> Timed:
    """What writing a checkpoint with so many open domains takes."""
    step, write, timed = DomainSearch.step, Saver.write, Timed()

    def filled(search: DomainSearch, state: DomainState) -> None:
        step(search, state)
        if len(state.pool) >= FIRST:
            for packed in list(state.pool.packed()) * (count // len(state.pool)):
                state.pool.put(packed)
            raise DeadlineReached

    with mock.patch.object(DomainSearch, "step", filled), mock.patch.object(Saver, "due", lambda *_: None):
        with mock.patch.object(Saver, "write", lambda saver: timed(lambda: write(saver))):
            quietly(["verify", *words, "--checkpoint", str(path), "--memory", "16GiB", "--threads", "1"])
    return timed


def read(path: Path) -> tuple[Timed, Timed]:
    """What reading the file takes, and looking whether it fits and taking it up."""
    file, fits = Timed(), Timed()
    reading, taking = kept.read_checkpoint, verification.taken_up

    def ended(*_: Any) -> None:
        raise DeadlineReached

    with (
        mock.patch.object(kept, "read_checkpoint", lambda path: file(lambda: reading(path))),
        mock.patch.object(verification, "taken_up", lambda *of: fits(lambda: taking(*of))),
        mock.patch.object(DomainSearch, "step", ended),
        mock.patch.object(Saver, "write", lambda saver: None),
    ):
        quietly(["resume", str(path)])
    return file, fits


def quietly(words: list[str]) -> None:
    """Run a command, and say nothing."""
    with contextlib.redirect_stdout(io.StringIO()):
        genbab(words)


def zeros(path: Path, size: int) -> float:
    """Seconds that the disk takes for so many bytes."""
    began, some = time.perf_counter(), bytes(1 << 24)
    with path.open("wb") as file:
        for _ in range(size >> 24):
            file.write(some)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    return time.perf_counter() - began


def row(name: str, count: int, folder: Path) -> list[str]:
    """What was measured of one search."""
    model, spec, *settings = SEARCHES[name].split()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "kept")
        wrote = written([str(folder / model), str(folder / spec), *settings], path, count)
        size = path.stat().st_size
        disk = zeros(Path(place, "zeros"), size)
        file, fits = read(path)
    return [name, f"{size / 1e6:.0f} MB", str(wrote), f"{disk:.1f}", str(file), str(fits)]


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SEARCHES), help="of searches; all by default")
    parser.add_argument("--open", type=int, default=100_000, help="how many domains are open")
    parser.add_argument("--instances", type=Path, default=SHARED, help="the folder of the families")
    options = parser.parse_args()
    head = ["search", "size", "s to write (of the processor)", "zeros", "s to read", "s to take up"]
    print(table(head, [row(name, options.open, options.instances) for name in options.names]))


if __name__ == "__main__":
    main()
