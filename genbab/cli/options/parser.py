"""The words of the command line, understood: one parser, whose commands are imported when they are called."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from genbab.cli.options.command import CommandParser
from genbab.cli.options.look import add_convert, add_inspect, add_lut, add_plot_trace, add_relax
from genbab.cli.options.nap import add_nap
from genbab.cli.options.spec import add_spec
from genbab.cli.options.study import add_report, add_run, add_study
from genbab.cli.options.verify import add_resume, add_supports, add_verify
from genbab.errors import UsageError


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
        commands = (
            "verify, resume, supports, run, study, report, inspect, convert, plot-trace, relax, lut, spec"
        )
        parser.error(f"which command? {commands} or nap")
    return options


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="genbab", description="Prove or refute statements about neural networks.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--name", dest="full_name", action="store_true", help="print the name of the solver")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", parser_class=CommandParser)
    for add in (
        add_verify,
        add_resume,
        add_supports,
        add_run,
        add_study,
        add_report,
        add_inspect,
        add_convert,
        add_plot_trace,
        add_relax,
        add_lut,
        add_spec,
        add_nap,
    ):
        add(commands)
    return parser


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
