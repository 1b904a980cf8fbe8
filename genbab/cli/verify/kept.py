"""Where `genbab verify` and `genbab resume` keep a run, and what a run that is taken up was asked."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from genbab.checkpoint import Checkpoint, KeptRun, changed, read_checkpoint, seconds_between, without_earlier
from genbab.cli.options.model import ReadingWords
from genbab.cli.options.settings import settings_of
from genbab.cli.verify.question import VerifyQuestion
from genbab.config import Config
from genbab.errors import UsageError

PATIENCE = 10.0
"""Seconds that a run gets after a signal to end where it can be kept."""


@dataclass(frozen=True, eq=False)
class KeepWords:
    """Where a run is kept and how often; before: what it goes on from, if it does."""

    path: Path
    every: float
    before: KeptRun | None = None

    @classmethod
    def of(cls, options: argparse.Namespace, question: VerifyQuestion) -> KeepWords | None:
        """What the words of `verify` say; raises `UsageError` for what cannot be kept."""
        if options.checkpoint is None:
            if options.checkpoint_every is not None:
                raise UsageError("--checkpoint-every: there is nothing to write without --checkpoint FILE")
            return None
        refused = {
            "queries (--network)": question.standard,
            "runs that write a proof (--proof)": options.proof is not None,
            "activation patterns (--nap)": options.nap is not None,
        }
        if wrong := [what for what, asked in refused.items() if asked]:
            raise UsageError(f"--checkpoint: {' and '.join(wrong)} cannot be taken up, so none are written")
        path = without_earlier(_place(options.checkpoint))
        return cls(path, seconds_between(options.checkpoint_every))

    def checkpoint(self, question: VerifyQuestion, config: Config) -> Checkpoint:
        """The checkpoint of this question; raises `UsageError` where its files are not those of before."""
        from genbab.driver.saved.asked import asked_of, unchanged

        if self.before is None:
            reading = question.reading
            asked = asked_of(
                question.model, question.spec, reading.outputs, reading.shapes, question.derivative
            )
        else:
            asked = unchanged(self.before.asked, question.model, question.spec)
        return Checkpoint(self.path, asked, config, self.every, self.before)


def resumed(options: argparse.Namespace) -> tuple[VerifyQuestion, Config, KeepWords]:
    """(question, settings, where it is kept) of a command line that takes a run up; raises `UsageError`."""
    given = settings_of(options)
    parsed = Config.from_text(given)
    every = seconds_between(options.checkpoint_every)
    if options.model is not None and options.spec is None:
        raise UsageError("SPEC is missing: genbab resume FILE MODEL SPEC, or FILE alone")
    before = read_checkpoint(Path(options.file))
    config = changed(before.config, {name: getattr(parsed, name) for name in given})
    asked = before.asked
    question = VerifyQuestion(
        Path(options.spec or asked.spec),
        Path(options.model or asked.model),
        reading=ReadingWords(asked.outputs, dict(asked.shapes)),
        derivative=asked.derivative,
    )
    path = Path(options.file)
    if options.checkpoint is not None and not _same(path, _place(options.checkpoint)):
        path = without_earlier(_place(options.checkpoint))
    return question, config, KeepWords(path, every, before)


def _place(text: str) -> Path:
    path = Path(text)
    if text in ("", "-") or (path.exists() and not path.is_file()):
        raise UsageError(f"--checkpoint {text!r}: must name a file, which appears whole or not at all")
    return path


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
