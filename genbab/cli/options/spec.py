"""The words of `genbab spec`."""

from __future__ import annotations

import argparse

from genbab.cli.options.command import CommandParser, Commands, carry_out
from genbab.cli.options.model import add_reading


def add_spec(commands: Commands) -> None:
    """Add `spec convert`, `check`, `show` and `from-csv` to the commands."""
    about = "read, convert, check, explain and make specifications"
    spec = commands.add_parser("spec", help=about, description=about, allow_abbrev=False)
    actions = spec.add_subparsers(dest="action", metavar="ACTION", parser_class=CommandParser, required=True)
    convert = actions.add_parser("convert", help="write it in the other version", allow_abbrev=False)
    convert.add_argument("spec", metavar="FILE", help="VNN-LIB 1.0 or 2 (.vnnlib, .vnnlib.gz)")
    convert.add_argument("out", metavar="OUT", help="the file to write (.vnnlib, .vnnlib.gz)")
    convert.add_argument(
        "--to", metavar="VERSION", choices=("1.0", "2.0"), help="1.0 or 2.0 (default: the other)"
    )
    check = actions.add_parser("check", help="say whether files can be read", allow_abbrev=False)
    check.add_argument("specs", metavar="FILE", nargs="+", help="VNN-LIB 1.0 or 2")
    show = actions.add_parser("show", help="say what it asks, in words and numbers", allow_abbrev=False)
    show.add_argument("spec", metavar="FILE", help="VNN-LIB 1.0 or 2")
    make = actions.add_parser("from-csv", help="make robustness specifications from data", allow_abbrev=False)
    _add_data(make)
    for action in (convert, check, show, make):
        action.add_argument("--model", metavar="MODEL", help="ONNX file that the specification must fit")
        add_reading(action)
        carry_out(action, "genbab.cli.tools.spec")


def _add_data(make: argparse.ArgumentParser) -> None:
    make.add_argument(
        "data",
        metavar="DATA",
        help="samples: .csv (one a row, the label first unless --labels), .npy (the first axis), "
        "or a folder of images (in the order of their names)",
    )
    make.add_argument("--labels", metavar="FILE", help="labels: .csv or .npy, or one a line")
    make.add_argument("--out", metavar="DIR", required=True, help="the folder for the files")
    make.add_argument("--epsilon", metavar="R", required=True, help="radius: 0.1, 8/255")
    make.add_argument(
        "--norm", metavar="P", default="inf", choices=("inf", "2", "1"), help="inf (default), 2 or 1"
    )
    make.add_argument("--clip", metavar="LOW,HIGH", help="the valid range of inputs: 0,1")
    make.add_argument("--scale", metavar="S", default="1", help="multiply the samples by this first: 1/255")
    make.add_argument("--classes", metavar="N", help="how many classes (default: what --model says)")
    make.add_argument("--count", metavar="N", help="only the first N samples")
    make.add_argument("--to", metavar="VERSION", choices=("1.0", "2.0"), help="1.0 (default) or 2.0")
    make.add_argument("--timeout", metavar="SECONDS", help="with --model: also write instances.csv")
