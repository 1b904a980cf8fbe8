"""The words of `genbab nap`, and those of `verify` about patterns."""

from __future__ import annotations

import argparse

from genbab.cli.options.command import CommandParser, Commands, carry_out
from genbab.cli.options.model import add_reading

DATA = (
    "samples: .csv (one a row, the label first where no labels are given), .npy (the first axis), "
    ".npz (x, and y where no labels are given), or a folder of images (in the order of their names)"
)


def add_nap(commands: Commands) -> None:
    """Add `nap mine` and `nap show` to the commands."""
    about = "activation patterns: mine them from data, look at them"
    nap = commands.add_parser("nap", help=about, description=about, allow_abbrev=False)
    actions = nap.add_subparsers(dest="action", metavar="ACTION", parser_class=CommandParser, required=True)
    mine = actions.add_parser(
        "mine", help="what the samples of each class have in common inside the model", allow_abbrev=False
    )
    mine.add_argument("model", metavar="MODEL", help="ONNX file (.onnx, .onnx.gz)")
    mine.add_argument("data", metavar="DATA", help=DATA)
    mine.add_argument("labels", metavar="LABELS", nargs="?", help="labels: .csv, .npy, .npz, or one a line")
    mine.add_argument("-o", "--out", metavar="FILE", required=True, help="the file for the patterns (JSON)")
    mine.add_argument(
        "--delta",
        metavar="SHARE",
        default="0.95",
        help="share of a class that a neuron's constraint must hold for, above 0.5 up to 1 (default: 0.95)",
    )
    mine.add_argument(
        "--kind",
        metavar="KIND",
        default="auto",
        choices=("auto", "switch", "interval"),
        help="switch (on or off), interval, or auto: switches before a ReLU, else intervals",
    )
    mine.add_argument(
        "--layer",
        metavar="NAME",
        action="append",
        help="a tensor or node (repeat it; default: all that go into activation functions)",
    )
    show = actions.add_parser("show", help="say what a file of patterns holds", allow_abbrev=False)
    show.add_argument("patterns", metavar="FILE", help="what `genbab nap mine` or `nap.save` wrote")
    show.add_argument("--model", metavar="MODEL", help="with --data: the model whose patterns they are")
    show.add_argument("--data", metavar="DATA", help=f"the share of these that follow is shown; {DATA}")
    show.add_argument("--labels", metavar="FILE", help="labels of --data: .csv, .npy, .npz, or one a line")
    for action in (mine, show):
        action.add_argument("--scale", metavar="S", default="1", help="multiply the samples by this: 1/255")
        action.add_argument("--count", metavar="N", help="only the first N samples")
        action.add_argument("--json", metavar="FILE", nargs="?", const="-", help="as JSON, to FILE or stdout")
        add_reading(action)
        carry_out(action, "genbab.cli.tools.nap")


def add_premise(verify: argparse.ArgumentParser) -> None:
    """Give `verify` its options about a pattern."""
    group = verify.add_argument_group("activation patterns")
    group.add_argument(
        "--nap",
        metavar="FILE",
        help="ask only of inputs that follow a pattern of this file (`genbab nap mine` writes it)",
    )
    group.add_argument("--nap-class", metavar="N", help="the class whose pattern it is")
