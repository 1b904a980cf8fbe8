"""The words of `genbab report`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Command = Callable[[argparse.Namespace], int]


def add_report(commands: Any, command: Command) -> None:
    """Give the command line `report`, carried out by `command`."""
    report = commands.add_parser(
        "report",
        help="show a study as one HTML page",
        description="Write a study as one HTML page that loads nothing from anywhere (needs genbab[report]).",
        allow_abbrev=False,
    )
    report.add_argument("study", metavar="STUDY", help="what `genbab run` or the Python API has kept")
    report.add_argument("--out", metavar="FILE", help="write it there (default: beside the study, .html)")
    report.add_argument("--against", metavar="STUDY", help="another study, to compare with")
    report.add_argument("--title", metavar="TEXT", help="the heading (default: the study's name)")
    about = 'inputs as pictures, "28x28" or "3x32x32"; "none" draws none (default: by the models)'
    report.add_argument("--shape", metavar="SHAPE", help=about)
    report.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    report.set_defaults(command=command)
