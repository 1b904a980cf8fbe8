"""What every part of the command line's parser is made with."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any, NoReturn

from genbab.errors import UsageError

Command = Callable[[argparse.Namespace], int]
"""What carries a command out: its exit code."""

Commands = Any
"""The commands of a parser, as argparse keeps them (it has no public name for their class)."""


class CommandParser(argparse.ArgumentParser):
    """argparse, but errors are one line with a suggestion, raised as `UsageError`."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with what is wrong and where help is."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def called(module: str) -> Command:
    """The function `command` of a module, which is imported when it is called."""

    def command(options: argparse.Namespace) -> int:
        function: Command = importlib.import_module(module).command
        return function(options)

    return command


def carry_out(parser: argparse.ArgumentParser, module: str) -> None:
    """Let a module's function `command` carry out a command, with a `--debug` that help leaves out."""
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=called(module))
