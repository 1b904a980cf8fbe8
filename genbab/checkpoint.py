"""Checkpoints: the file in which a run is kept as it goes, so that another one can go on from there.

It says what was asked, of which files, with which settings; the driver says what else is in it. It is an
archive of arrays: reading it runs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genbab.amounts import parse_seconds
from genbab.config import Config
from genbab.errors import UsageError
from genbab.result import Result, Verdict, plain
from genbab.system.archive import Array, read_archive, write_archive
from genbab.version import __version__

KIND = "genbab checkpoint"
FORMAT = 1
"""Count this up whenever what is in the file, or what it means, changes."""

EVERY = 60.0
"""Seconds between two writes, unless others are asked for."""

CLAIMED = ("arithmetic", "elementary", "witness")
"""Settings that a claim is about: they stay what they were."""


@dataclass(frozen=True)
class AskedFiles:
    """What a run was asked: the files, the SHA-256 of what they hold, and what of the model is read."""

    model: str
    spec: str
    model_hash: str
    spec_hash: str
    outputs: tuple[str, ...] = ()
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    derivative: bool = False

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> AskedFiles:
        """What `asdict` made of it, by way of JSON; raises `ValueError` and the like for anything else."""
        shapes = tuple((str(name), tuple(int(k) for k in shape)) for name, shape in data["shapes"])
        model, spec, *hashes = (str(data[name]) for name in ("model", "spec", "model_hash", "spec_hash"))
        outputs, derivative = tuple(map(str, data["outputs"])), bool(data["derivative"])
        return cls(model, spec, hashes[0], hashes[1], outputs, shapes, derivative)


@dataclass(frozen=True, eq=False)
class KeptRun:
    """What a checkpoint holds.

    seconds: that all runs took until it was written; history: of the bound, up to then; network: what tells
    the network that was searched from others; run: what the driver made of the search, and arrays for it.
    """

    asked: AskedFiles
    config: Config
    seconds: float
    history: list[list[float]]
    network: str
    run: Any
    arrays: Sequence[Array]


@dataclass(eq=False)
class Checkpoint:
    """Where a run is kept as it goes: in the file `path`, every so many seconds.

    before: what the run is taken up from, if it is; history: of the bound, from the first run on; known:
    whether the file says something of this run; failed: why it could not be written the last time. Raises
    `UsageError` for settings with which no run can be kept.
    """

    path: Path
    asked: AskedFiles
    config: Config
    every: float = EVERY
    before: KeptRun | None = None
    history: list[list[float]] = field(default_factory=list)
    known: bool = False
    failed: str = ""

    def __post_init__(self) -> None:
        if self.config.deterministic:  # what is written is rounded, at times that the machine's load decides
            raise UsageError("checkpoint: a run that is always the same (deterministic) cannot be kept yet")
        if self.config.portfolio:  # each of its searches has a tree of its own
            raise UsageError(
                "checkpoint: a run of searches that race (portfolio) cannot be kept: use workers"
            )

    @property
    def seconds_before(self) -> float:
        """Seconds that earlier runs took."""
        return 0.0 if self.before is None else self.before.seconds

    def write(self, seconds: float, network: str, run: Any, arrays: Sequence[Array]) -> int:
        """Write the file in place of what is there; its bytes. Raises `UsageError`."""
        default = Config().to_dict()
        settings = {name: v for name, v in self.config.to_dict().items() if v != default[name]}
        about = {"kind": KIND, "format": FORMAT, "genbab": __version__, "asked": asdict(self.asked)}
        known = {"settings": settings, "seconds": seconds, "history": plain(self.history)}
        return write_archive(self.path, {**about, **known, "network": network, "run": run}, arrays)

    def told(self, result: Result) -> Result:
        """The result that says where the run is kept, if it may go on, and what earlier runs took."""
        facts: dict[str, Any] = {}
        if self.before is not None:
            facts["earlier seconds"] = round(self.seconds_before, 3)
        if not _final(result):
            there = self.known or (self.before is not None and self.path.exists())
            facts["checkpoint"] = str(self.path) if there else f"none: {self.failed or 'nothing to keep yet'}"
        return replace(result, statistics={**result.statistics, **facts})

    def ended(self, result: Result) -> None:
        """Remove the file where the verdict is final: nothing is left to go on with."""
        if _final(result) and (self.known or self.before is not None):
            self.path.unlink(missing_ok=True)


def _final(result: Result) -> bool:
    return result.verdict in (Verdict.VERIFIED, Verdict.FALSIFIED)


def without_earlier(path: Path) -> Path:
    """The place of a new checkpoint; raises `UsageError` where an earlier one would be lost."""
    if path.exists():
        raise UsageError(
            f"{path} is there already: genbab resume {path} goes on from it; remove it to start over"
        )
    return path


def read_checkpoint(path: Path) -> KeptRun:
    """What a checkpoint holds; raises `UsageError` for a file that is none, or not of this version."""
    header, arrays = read_archive(path, "checkpoint")
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise UsageError(f"{path} is no checkpoint: genbab verify --checkpoint writes them")
    mine, its = (FORMAT, __version__), (header.get("format"), header.get("genbab"))
    if its != mine:
        raise UsageError(
            f"the checkpoint {path} is of genbab {its[1]} (format {its[0]}), and this is genbab {mine[1]} "
            f"(format {mine[0]}): what another version has certified is not taken over"
        )
    try:
        moments = [[float(v) for v in moment] for moment in header["history"]]
        seconds, network = float(header["seconds"]), str(header["network"])
        if not (0.0 <= seconds < math.inf and all(len(m) == 4 for m in moments)):
            raise ValueError("its times")
        asked, config = AskedFiles.read(header["asked"]), Config().with_(**header["settings"])
        return KeptRun(asked, config, seconds, moments, network, header["run"], arrays)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        raise UsageError(f"the checkpoint {path} is damaged: {error}") from error


def changed(before: Config, changes: Mapping[str, Any]) -> Config:
    """The settings with these changes; raises `UsageError` for those that would change what is claimed."""
    config = before.with_(**changes)
    wrong = [name for name in CLAIMED if getattr(config, name) != getattr(before, name)]
    if wrong:
        said = ", ".join(f"{name} (here {getattr(before, name)})" for name in wrong)
        raise UsageError(f"a run that is taken up claims what it claimed before: {said} cannot be changed")
    return config


def seconds_between(text: str | None) -> float:
    """Seconds between two writes, from text as on a command line; raises `UsageError`."""
    try:
        seconds = EVERY if text is None else parse_seconds(text)
    except (ValueError, OverflowError):
        seconds = None
    if seconds is None or not 0 < seconds < math.inf:
        raise UsageError(f"--checkpoint-every {text}: must be a positive number of seconds, as 60, 90s or 5m")
    return seconds
