"""Writes docs/commands.md from the parser: `python docs/make_commands.py` (--check: compares)."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from made import write_or_compare

from genbab.cli.options.parser import _parser
from genbab.config import Config

PAGE = Path(__file__).resolve().with_name("commands.md")

HEAD = """\
# Every command and option

Written by `python docs/make_commands.py` from the parser; do not edit. [The command line](cli.md) explains
what the commands do, which files they write, and the exit codes.
"""
SETTINGS = """\
## Settings

Options of {users}, and the fields of `genbab.Config` (`--child-steps` is `child_steps`).
"""
MACHINE = {"memory": "4 GiB, or half of the machine where that is less"}
"""Defaults that differ from machine to machine, in words."""


def page() -> str:
    """The text of docs/commands.md."""
    found = list(_commands(_parser(), "genbab"))
    users = [name for name, parser in found if _has_settings(parser)]
    made = [HEAD, "| command | |", "|---|---|"]
    made += [f"| [`{name}`](#{_anchor(name)}) | {_cell(_about(parser))} |" for name, parser in found]
    for name, parser in found:
        made += ["", *_section(name, parser)]
    made += ["", SETTINGS.format(users=", ".join(f"`{name}`" for name in users)), *_settings()]
    return "\n".join(made) + "\n"


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(name, parser) of every command that does something by itself, in the order of the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {choice.dest: choice.help for choice in action._choices_actions}
            for word, child in action.choices.items():
                child.description = child.description or about.get(word)
                nested = any(isinstance(a, argparse._SubParsersAction) for a in child._actions)
                yield from _commands(child, f"{name} {word}") if nested else [(f"{name} {word}", child)]


def _section(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Heading, usage and options of one command."""
    shown = [a for a in parser._actions if a.help is not argparse.SUPPRESS and not _common(a)]
    places = [_place(a) for a in shown if not a.option_strings]
    usage = parser.usage or " ".join([name, *places, "[options]"])
    lines = [f"## {name}", "", _about(parser), "", "```text"]
    lines += [line.strip() for line in usage.splitlines()] + ["```", ""]
    rows = [f"| {_names(a)} | {_cell(_help(a, parser))} |" for a in shown]
    lines += ["| | |", "|---|---|", *rows]
    if _has_settings(parser):
        lines += ["", "and the [settings](#settings)."]
    return lines


def _settings() -> list[str]:
    rows = ["| setting | accepted | default | what it is |", "|---|---|---|---|"]
    for f in dataclasses.fields(Config):
        default = MACHINE.get(f.name) or ("auto" if f.default is None else str(f.default))
        default = "none" if f.name == "timeout" else "off" if f.default is False else default
        accepted = "no value" if isinstance(f.default, bool) else f.metadata["accepted"]
        cells = (_cell(accepted), default, _cell(f.metadata["about"]))
        rows.append(f"| `--{f.name.replace('_', '-')}` | {' | '.join(cells)} |")
    return rows


def _common(action: argparse.Action) -> bool:
    """Whether the option is one of every command, or a setting with a table of its own."""
    return action.dest in ("help", "debug") or action.dest.startswith("set_")


def _has_settings(parser: argparse.ArgumentParser) -> bool:
    return any(a.dest.startswith("set_") for a in parser._actions)


def _place(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}.get(str(action.nargs), name)


def _names(action: argparse.Action) -> str:
    """The option as it is written, with what follows it."""
    if not action.option_strings:
        return f"`{_place(action)}`"
    value = "" if action.nargs == 0 else " " + _value(action)
    return ", ".join(f"`{word}{value}`" for word in action.option_strings)


def _value(action: argparse.Action) -> str:
    choices = "|".join(map(str, action.choices)) if action.choices else ""
    name = str(action.metavar or choices or action.dest.upper())
    return f"[{name}]" if action.nargs == "?" else name


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    values = {**vars(action), "prog": parser.prog}
    return (action.help or "") % values + (" (may be repeated)" if _unsaid(action) else "")


def _unsaid(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction) and "repeat" not in (action.help or "")


def _about(parser: argparse.ArgumentParser) -> str:
    text = " ".join((parser.description or "").split())
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


if __name__ == "__main__":
    sys.exit(write_or_compare({PAGE: page()}, __doc__))
