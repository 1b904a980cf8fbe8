"""The words of the command line, understood: one parser, whose commands are imported when they are called."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import NoReturn

from genbab.cli.options.nap import add_nap, add_premise
from genbab.cli.options.report import add_report
from genbab.cli.options.spec import add_spec
from genbab.config import Config
from genbab.errors import UsageError

Command = Callable[[argparse.Namespace], int]

CAPABILITIES = (
    "onnx-opset-versions",
    "onnx-element-types",
    "onnx-operators",
    "vnnlib-versions",
    "hidden-node-theories",
    "multiple-input-output-theories",
    "multiple-network-theories",
    "multiple-node-comparison-theories",
    "arithmetic-complexity-theories",
    "optimised-disjunctive-reasoning",
    "serialise-assignments",
    "unsat-proofs",
)
"""What the VNN-LIB standard lets ask of a solver."""


class CommandParser(argparse.ArgumentParser):
    """argparse, but errors are one line with a suggestion, raised as `UsageError`."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with what is wrong and where help is."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options, with `command(options)` the function to call; raises `UsageError`."""
    parser = _parser()
    options, unknown = parser.parse_known_args(words)
    if unknown:
        known = sorted(_flags(parser, getattr(options, "name", "")))
        hints = [(w, difflib.get_close_matches(w.partition("=")[0], known, 1)) for w in unknown]
        listed = ", ".join(w + (f" (did you mean {h[0]}?)" if h else "") for w, h in hints)
        command = " ".join(["genbab", *filter(None, [getattr(options, "name", None)]), "--help"])
        raise UsageError(f"unknown argument: {listed} (see {command})")
    if options.version:
        options.command = _version
    elif options.full_name:
        options.command = _full_name
    elif options.name is None:
        commands = "verify, supports, run, study, report, inspect, plot-trace, relax, lut, spec or nap"
        parser.error(f"which command? {commands}")
    return options


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="genbab", description="Prove or refute statements about neural networks.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--name", dest="full_name", action="store_true", help="print the name of the solver")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", parser_class=CommandParser)

    _add_verify(commands)
    _add_supports(commands)

    run = commands.add_parser("run", help="verify a VNN-COMP list of instances", allow_abbrev=False)
    run.add_argument(
        "instances",
        metavar="INSTANCES.csv",
        help="rows of onnx,vnnlib,timeout; paths are relative to the list",
    )
    run.add_argument(
        "--output",
        metavar="FILE.csv",
        help="results in VNN-COMP's form (default: beside the list)",
    )
    run.add_argument("--study", metavar="FILE.db", help="the file that keeps all (default: beside those)")
    run.add_argument("--workers", metavar="N", default="1", help="processes at a time (default: 1)")
    run.add_argument("--counterexamples", metavar="FOLDER", help="keep the counterexamples there")
    run.add_argument("--fresh", action="store_true", help="forget earlier results instead of resuming")
    _finish(run, _call("genbab.cli.many.run"))

    study = commands.add_parser("study", help="show or export a study file", allow_abbrev=False)
    study.add_argument("study", metavar="FILE.db", help="what `genbab run` or the Python API has kept")
    for form in ("csv", "jsonl", "vnncomp"):
        study.add_argument(f"--{form}", metavar="FILE", help="write it in this form")
    study.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    study.set_defaults(command=_call("genbab.cli.tools.study"))

    add_report(commands, _call("genbab.cli.tools.study_report"))
    _add_inspect(commands)
    _add_plot_trace(commands)
    _add_relax(commands)
    _add_lut(commands)
    add_spec(commands, CommandParser, _call("genbab.cli.tools.spec"))
    add_nap(commands, CommandParser, _call("genbab.cli.tools.nap"))
    return parser


def _add_verify(commands: argparse._SubParsersAction[CommandParser]) -> None:
    verify = commands.add_parser(
        "verify",
        help="decide one specification of one model, or a VNN-LIB query",
        usage="genbab verify MODEL SPEC [options]\n"
        "       genbab verify QUERY --network NAME=MODEL [--network ...] [options]",
        description="Decide one specification of one model; or, as the VNN-LIB standard says, a query about "
        "the networks that it declares.",
        allow_abbrev=False,
    )
    verify.add_argument(
        "model", metavar="MODEL", help="ONNX file (.onnx, .onnx.gz); with --network the query"
    )
    verify.add_argument("spec", metavar="SPEC", nargs="?", help="VNN-LIB file (.vnnlib, .vnnlib.gz)")
    query = verify.add_argument_group("queries of the VNN-LIB standard")
    query.add_argument(
        "--network",
        metavar="NAME=MODEL",
        action="append",
        help="the model of a network that the query declares (repeat it); answers in VNN-LIB's words",
    )
    query.add_argument(
        "--serialise-assignments",
        "--serialize-assignments",
        dest="serialise",
        metavar="DIR",
        help="write a satisfying assignment as DIR/VARIABLE.pb instead of printing it",
    )
    query.add_argument(
        "--over-reals",
        action="store_true",
        help="read floating-point types in the query as real, instead of refusing them",
    )
    add_premise(verify)
    verify.add_argument("--json", metavar="FILE", help="write the result as JSON")
    verify.add_argument(
        "--counterexample", metavar="FILE", help="write the counterexample, if any, as a VNN-COMP witness"
    )
    verify.add_argument(
        "--result", metavar="FILE", help="write a VNN-COMP result file (sat/unsat/unknown/timeout, witness)"
    )
    verify.add_argument("--quiet", action="store_true", help="print the verdict only")
    verify.add_argument("--trace", metavar="FILE", help="record the run as it goes, for plot-trace")
    _finish(verify, _call("genbab.cli.verify.verify"))


def _add_supports(commands: argparse._SubParsersAction[CommandParser]) -> None:
    about = "say what is supported, as the VNN-LIB standard asks it"
    supports = commands.add_parser("supports", help=about, description=about, allow_abbrev=False)
    which = supports.add_mutually_exclusive_group()
    for name in CAPABILITIES:
        which.add_argument(f"--{name}", dest="capability", action="store_const", const=name)
    supports.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    supports.set_defaults(command=_call("genbab.cli.verify.supports"))


def _add_inspect(commands: argparse._SubParsersAction[CommandParser]) -> None:
    about = "show what was understood of a model, and what verify would do"
    inspect = commands.add_parser("inspect", help=about, allow_abbrev=False)
    inspect.add_argument("model", metavar="MODEL", help="ONNX file")
    inspect.add_argument("spec", metavar="SPEC", nargs="?", help="VNN-LIB file to plan for")
    inspect.add_argument("--json", metavar="FILE", nargs="?", const="-", help="as JSON, to FILE or stdout")
    about = "draw how wide its layers are on SPEC: .png, .svg or .pdf (needs genbab[plot])"
    inspect.add_argument("--plot", metavar="FILE", help=about)
    _finish(inspect, _call("genbab.cli.tools.inspect"))


def _add_plot_trace(commands: argparse._SubParsersAction[CommandParser]) -> None:
    plot = commands.add_parser("plot-trace", help="draw a run that was traced", allow_abbrev=False)
    plot.add_argument("trace", metavar="FILE", help="what `genbab verify --trace` wrote")
    plot.add_argument(
        "--out", metavar="IMAGE", help="draw there: .svg, .png or .pdf (default: FILE with .svg)"
    )
    plot.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    plot.set_defaults(command=_call("genbab.cli.tools.plot_trace"))


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


def _add_relax(commands: argparse._SubParsersAction[CommandParser]) -> None:
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
    relax.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    relax.set_defaults(command=_call("genbab.cli.tools.relax"))


def _add_lut(commands: argparse._SubParsersAction[CommandParser]) -> None:
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
        action.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        action.set_defaults(command=_call("genbab.cli.tools.lut"))


def _finish(parser: argparse.ArgumentParser, command: Command) -> None:
    """Give the parser one option per setting of `Config`, and its command."""
    group = parser.add_argument_group("settings")
    for f in fields(Config):
        about = f"{f.metadata['about']}: {f.metadata['accepted']}".replace("%", "%%")
        flag = "--" + f.name.replace("_", "-")
        group.add_argument(flag, dest=f"set_{f.name}", metavar=f.name.upper(), default=None, help=about)
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    parser.set_defaults(command=command)


def settings_of(options: argparse.Namespace) -> dict[str, str]:
    """The settings given on the command line, as text by name."""
    given = {f.name: getattr(options, f"set_{f.name}") for f in fields(Config)}
    return {name: text for name, text in given.items() if text is not None}


def _call(module: str) -> Command:
    def command(options: argparse.Namespace) -> int:
        function: Command = importlib.import_module(module).command
        return function(options)

    return command


def _version(options: argparse.Namespace) -> int:
    from genbab.version import __version__

    print(__version__)
    return 0


def _full_name(options: argparse.Namespace) -> int:
    print("genbab")
    return 0


def _flags(parser: argparse.ArgumentParser, name: str) -> set[str]:
    """The long options of the parser and of its command `name`."""
    found = {s for action in parser._actions for s in action.option_strings if s.startswith("--")}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and name in action.choices:
            found |= _flags(action.choices[name], "")
    return found
