"""One option per setting of `Config`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from typing import Any

from genbab.cli.options.command import Command
from genbab.config import Config


def add_settings(parser: argparse.ArgumentParser, command: Command, without: Sequence[str] = ()) -> None:
    """Give the parser one option per setting of `Config`, but for some, and its command."""
    group = parser.add_argument_group("settings")
    for f in fields(Config):
        if f.name in without:
            continue
        flag = "--" + f.name.replace("_", "-")
        if _is_flag(f):
            about = f.metadata["about"].replace("%", "%%")
            group.add_argument(flag, dest=f"set_{f.name}", action="store_const", const="true", help=about)
            continue
        about = f"{f.metadata['about']}: {f.metadata['accepted']}".replace("%", "%%")
        group.add_argument(flag, dest=f"set_{f.name}", metavar=f.name.upper(), default=None, help=about)
    parser.add_argument("--debug", action="store_true", help="show where an error happened")
    parser.set_defaults(command=command)


def settings_of(options: argparse.Namespace) -> dict[str, str]:
    """The settings given on the command line, as text by name."""
    given = {f.name: getattr(options, f"set_{f.name}", None) for f in fields(Config)}
    return {name: text for name, text in given.items() if text is not None}


def words_of(settings: Mapping[str, str]) -> list[str]:
    """The words of the command line that give these settings."""
    flags = {f.name for f in fields(Config) if _is_flag(f)}
    words = list[str]()
    for name, text in settings.items():
        words += ["--" + name.replace("_", "-"), *([] if name in flags else [text])]
    return words


def _is_flag(setting: Field[Any]) -> bool:
    """Whether the setting is on where its option is named, without a value."""
    return isinstance(setting.default, bool)
