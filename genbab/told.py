"""Who is told of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genbab.checkpoint import Checkpoint
from genbab.proof import ProofFile
from genbab.result import Progress
from genbab.trace import TraceFile


@dataclass(frozen=True)
class Told:
    """Who is told of a run: where it stands, its record, the proof that it writes, where it is kept."""

    progress: Callable[[Progress], None] = lambda _: None
    trace: TraceFile | None = None
    proof: ProofFile | None = None
    checkpoint: Checkpoint | None = None
