"""Who is told of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genbab.proof import ProofFile
from genbab.result import Progress
from genbab.trace import TraceFile


@dataclass(frozen=True)
class Told:
    """Who is told of a run: where it stands, the record that it leaves, and the proof that it writes."""

    progress: Callable[[Progress], None] = lambda _: None
    trace: TraceFile | None = None
    proof: ProofFile | None = None
