"""Real runs of `genbab verify`: seconds by the clock, processor seconds of all processes, of the search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class RealRun:
    """One run. seconds: by the clock; search: of its search; processor: of all its processes."""

    workers: int
    seconds: float
    search: float
    processor: float
    verdict: str
    domains: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


def at_once(words: Sequence[str], workers: int, times: int = 1, threads: int = 1) -> list[RealRun]:
    """So many runs of the same at once, each with so many workers, which have so many threads each."""
    with tempfile.TemporaryDirectory() as folder:
        began, running = time.monotonic(), []
        for number in range(times):
            path = Path(folder, f"{number}.json")
            command = [sys.executable, "-m", "genbab", "verify", *words, "--json", str(path), "--quiet"]
            command += ["--workers", str(workers), "--threads", str(threads)]
            environment = {**os.environ, **ENVIRONMENT}
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
            running.append((process, path))
        return [_ended(process, path, began, workers) for process, path in running]


def _ended(process: subprocess.Popen[bytes], path: Path, began: float, workers: int) -> RealRun:
    _, code, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{process.args}: exit code {process.returncode}")
    found = json.loads(path.read_text())
    facts = found["statistics"]
    processor = used.ru_utime + used.ru_stime
    return RealRun(
        workers, seconds, facts["seconds search"], processor, found["verdict"], int(facts["domains"])
    )
