"""`genbab plot-trace FILE`: a drawing of a run that `genbab verify --trace FILE` recorded."""

from __future__ import annotations

import argparse
from pathlib import Path

from genbab.errors import UsageError


def command(options: argparse.Namespace) -> int:
    """Draw the trace and say where; returns 0. Raises `UsageError` for a file that is no trace."""
    source = Path(options.trace)
    if not source.name:
        raise UsageError(f"cannot read the trace {source}: is a directory")
    out = Path(options.out) if options.out else source.with_suffix(".svg")
    if out.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise UsageError(f"cannot draw {out}: the name must end in .svg, .png or .pdf")
    if out.resolve() == source.resolve():
        raise UsageError(f"cannot draw over the trace {source}: choose another --out")
    from genbab.trace import read_trace

    record = read_trace(source)  # what is wrong with it is said before matplotlib is loaded
    from genbab.plot.trace import plot_trace

    plot_trace(record, path=out)
    print(f"{len(record.rounds)} rounds drawn in {out}")
    return 0
