"""The words of commands that show something: `inspect`, `convert`, `plot-trace`, `relax`, `lut`."""

from __future__ import annotations

import argparse
import re

from genbab.cli.options.command import CommandParser, Commands, called, carry_out
from genbab.cli.options.model import add_reading
from genbab.cli.options.settings import add_settings


def add_inspect(commands: Commands) -> None:
    """Add `inspect` to the commands."""
    about = "show what was understood of a model, and what verify would do"
    inspect = commands.add_parser("inspect", help=about, allow_abbrev=False)
    inspect.add_argument("model", metavar="MODEL", help="ONNX file")
    inspect.add_argument("spec", metavar="SPEC", nargs="?", help="VNN-LIB file to plan for")
    inspect.add_argument("--json", metavar="FILE", nargs="?", const="-", help="as JSON, to FILE or stdout")
    about = "draw how wide its layers are on SPEC: .png, .svg or .pdf (needs genbab[plot])"
    inspect.add_argument("--plot", metavar="FILE", help=about)
    add_reading(inspect)
    add_settings(inspect, called("genbab.cli.tools.inspect"))


def add_convert(commands: Commands) -> None:
    """Add `convert` to the commands."""
    convert = commands.add_parser(
        "convert",
        help="write a model, or a program that torch exported, as one ONNX file",
        description="Read a model, or a program of torch.export (.pt2: only if you trust it, loading may run "
        "code), check it against onnxruntime, and write it as one ONNX file.",
        allow_abbrev=False,
    )
    convert.add_argument("model", metavar="MODEL", help="ONNX file (.onnx, .onnx.gz) or program (.pt2)")
    convert.add_argument("out", metavar="OUT", help="ONNX file to write (.onnx)")
    carry_out(convert, "genbab.cli.tools.convert")


def add_plot_trace(commands: Commands) -> None:
    """Add `plot-trace` to the commands."""
    plot = commands.add_parser("plot-trace", help="draw a run that was traced", allow_abbrev=False)
    plot.add_argument("trace", metavar="FILE", help="what `genbab verify --trace` wrote")
    plot.add_argument(
        "--out", metavar="IMAGE", help="draw there: .svg, .png or .pdf (default: FILE with .svg)"
    )
    carry_out(plot, "genbab.cli.tools.plot_trace")


class _Alone(argparse.Action):
    """A flag with which nothing else is required."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option: object = None,
    ) -> None:
        setattr(namespace, self.dest, True)
        for action in parser._actions:
            action.required = False


def add_relax(commands: Commands) -> None:
    """Add `relax` to the commands."""
    relax = commands.add_parser(
        "relax",
        help="show a function and the lines that bound it",
        description="Show the facts of a function, its range on [L, U] and the lines that bound it there.",
        allow_abbrev=False,
    )
    relax._negative_number_matcher = re.compile("-[^-]")  # -1e3 is a number, -x**2 a formula
    about = 'a function ("gelu", "power(3)") or a formula in x ("x*sigmoid(x)")'
    relax.add_argument("names", metavar="NAME", nargs="+", help=about)
    relax.add_argument("lower", metavar="L", help="the lower end of the interval")
    relax.add_argument("upper", metavar="U", help="the upper end of the interval")
    relax.add_argument(
        "--slope",
        metavar="K",
        action="append",
        default=[],
        help="show the lines of this slope, too (repeat it)",
    )
    relax.add_argument("--plot", metavar="FILE", help="draw it: .png, .svg or .pdf (needs genbab[plot])")
    relax.add_argument("--json", metavar="FILE", nargs="?", const="-", help="as JSON, to FILE or stdout")
    relax.add_argument(
        "--list", action=_Alone, nargs=0, default=False, help="list the functions of the library"
    )
    carry_out(relax, "genbab.cli.tools.relax")


def add_lut(commands: Commands) -> None:
    """Add `lut` to the commands."""
    lut = commands.add_parser(
        "lut",
        help="tables of branching points: make them, look at one",
        description="Tables of the points at which intervals of a function are best split.",
        allow_abbrev=False,
    )
    actions = lut.add_subparsers(dest="action", metavar="ACTION", parser_class=CommandParser, required=True)
    build = actions.add_parser("build", help="make the tables that are shipped", allow_abbrev=False)
    about = "functions without parameters (default: all that profit)"
    build.add_argument("functions", metavar="FUNCTION", nargs="*", help=about)
    build.add_argument("--out", metavar="DIR", help="write them there, not into the package")
    show = actions.add_parser("show", help="print a function's table", allow_abbrev=False)
    show.add_argument("function", metavar="NAME", help='a function ("gelu") or a formula in x')
    show.add_argument("--plot", metavar="FILE", help="draw it: .png, .svg or .pdf (needs genbab[plot])")
    for action in (build, show):
        carry_out(action, "genbab.cli.tools.lut")
