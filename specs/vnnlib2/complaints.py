"""What the package `vnnlib` complains about, as errors with a line and a column where they can be found."""

from __future__ import annotations

import json
import math
import re
import sys

from genbab.errors import SpecError


def no_entry(tensor: str, indices: list[int], text: str, name: str) -> SpecError:
    """The complaint about an index below 0, which the package lets pass."""
    places = r"\s*,\s*".join(rf"{'-0*' if i < 0 else '0*'}{abs(i)}" for i in indices)
    found = re.search(rf"\b{tensor}\s*\[\s*{places}\s*\]", _plain(text))
    where = f"{tensor}[{','.join(map(str, indices))}]"
    return _at(f"{where} is out of range: indices count from 0", text, name, found.start() if found else None)


def foreign(text: str, name: str) -> SpecError:
    """The complaint about the first character that is not ASCII, outside of comments and quotes."""
    found = re.search(r"[^\x00-\x7f]", _plain(text))
    character = f"'{found[0]}'" if found else "a character that is not ASCII"
    message = f"syntax error: found {character}, expected ASCII outside of comments and quotes"
    return _at(message, text, name, found.start() if found else None)


def beyond(text: str, name: str) -> SpecError:
    """The complaint about the first number that is not zero and out of the normal range of float64."""
    for found in re.finditer(r"\d+\.\d+", _plain(text)):
        if not sys.float_info.min <= float(found[0]) < math.inf and re.search("[1-9]", found[0]):
            shown = found[0] if len(found[0]) < 40 else f"{found[0][:30]}... ({len(found[0])} characters)"
            message = f"'{shown}' is out of range: numbers lie between 2.3e-308 and 1.8e308, or are 0.0"
            return _at(message, text, name, found.start())
    return SpecError("has a number that is out of range", name)


def _plain(text: str) -> str:
    """The text with blanks for comments and quotes."""
    return re.sub(r";[^\n]*|\"[^\"\n]*\"", lambda found: " " * len(found[0]), text)


def _at(message: str, text: str, name: str, offset: int | None) -> SpecError:
    """A complaint about this place of the text."""
    if offset is None:
        return SpecError(message, name)
    line = text.count("\n", 0, offset) + 1
    return SpecError(message, name, line, offset - text.rfind("\n", 0, offset))


def explained(message: str, text: str, name: str) -> SpecError:
    """The package's complaint as one of ours: all errors, the first one's line and column."""
    found = re.search(r"line (\d+), column (\d+)", message)
    if found:
        line, column = int(found[1]), int(found[2])
        return SpecError(message.split(" at line")[0].lower() + message[found.end() :], name, line, column)
    try:
        errors = json.loads(message)["errors"]
        first = errors[0]
        line, symbol = int(first["line"]), str(first["offendingSymbol"])
        told = [f"{e['message']}: {e['hint']}" for e in errors[:20]]
    except (ValueError, KeyError, IndexError, TypeError):
        return SpecError(" ".join(message.split()), name)
    lines = text.splitlines()
    column = lines[line - 1].find(symbol) + 1 if 0 < line <= len(lines) else 0
    told += [f"... and {len(errors) - 20} more"] if len(errors) > 20 else []
    return SpecError("; ".join(told), name, line, max(column, 1))
