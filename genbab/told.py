"""Who is told of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genbab.checkpoint import Checkpoint, KeptRun
from genbab.proof import ProofFile
from genbab.result import Progress
from genbab.trace import TraceFile


@dataclass(frozen=True)
class Told:
    """Who is told of a run: where it stands, its record, the proof that it writes, where it is kept.

    before: where the run stood that is taken up, if not as the checkpoint says; crew: makes who carries its
    searches out, told of the `Verification`, if that is not this machine.
    """

    progress: Callable[[Progress], None] = lambda _: None
    trace: TraceFile | None = None
    proof: ProofFile | None = None
    checkpoint: Checkpoint | None = None
    before: KeptRun | None = None
    crew: Callable[[Any], Any] | None = None
