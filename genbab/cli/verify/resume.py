"""`genbab resume FILE`: go on with a run from its checkpoint."""

from __future__ import annotations

import argparse

from genbab.cli.verify.kept import resumed
from genbab.cli.verify.output import outputs_of
from genbab.cli.verify.spread import ClusterWords
from genbab.cli.verify.verify import VerifySession, concluded


def command(options: argparse.Namespace) -> int:
    """Go on, write the result, return the exit code; errors are raised, and then no verdict was written."""
    question, config, keep = resumed(options)
    question.check_files()
    outputs = outputs_of(options, keep)
    outputs.prepare(question.files)
    session = VerifySession(question, config, outputs)
    session.cluster = ClusterWords.of(options, config)
    return concluded(session)
