"""`genbab report STUDY`: a study as one HTML page."""

from __future__ import annotations

import argparse
import re

from genbab.errors import UsageError


def command(options: argparse.Namespace) -> int:
    """Write the page and say where; returns 0."""
    shape = shape_of(options.shape)
    from genbab.reporting.write import report

    place = report(options.study, options.out, against=options.against, title=options.title, shape=shape)
    print(f"written to {place}")
    return 0


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """(28, 28) of "28x28", () of "none", None of None; raises `UsageError` for anything else."""
    if text is None or text == "none":
        return None if text is None else ()
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5}){1,2}", text):
        raise UsageError(f"--shape {text}: must be HEIGHTxWIDTH, CHANNELSxHEIGHTxWIDTH, or none")
    return tuple(map(int, text.split("x")))
