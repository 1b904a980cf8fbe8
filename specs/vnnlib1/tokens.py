"""The words of a VNN-LIB 1.0 text, cut by one regular expression.

A simple relation such as `(<= X_0 0.5)`, also inside `(assert ...)`, and a whole `(declare-const X_0 Real)`
are one token each, because files consist of hundreds of thousands of them. Positions are not kept: they are
found again, by a second scan, only when an error needs one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from genbab.errors import SpecError
from genbab.specs.numbers.numbers import NUMBER

VARIABLE = r"[XY]_\d+"

Token = tuple[str, str, str, str, str, str]
"""(assert or '', relation, left, right, declared name, word); a word is ')', '(head' or a symbol."""

_ARGUMENT = f"{VARIABLE}|{NUMBER}"
_TOKEN = re.compile(
    rf"(\(\s*assert\s*)?\(\s*(<=|>=|==|=|<|>)\s+({_ARGUMENT})\s+({_ARGUMENT})\s*\)(?(1)\s*\))"
    rf"|\(\s*declare-const\s+({VARIABLE})\s+Real\s*\)"
    r"|(\(\s*[^\s()]*|\)|[^\s()]+)",
    re.ASCII,
)
_COMMENT = re.compile(r";[^\n]*")


@dataclass(frozen=True)
class SourceText:
    """A text without its comments, and the name that error messages give it."""

    name: str
    text: str

    @staticmethod
    def of(name: str, text: str) -> SourceText:
        """The source for a text as it was read: any newline convention, comments, byte order mark."""
        text = text.removeprefix("\ufeff")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return SourceText(name, _COMMENT.sub("", text) if ";" in text else text)

    def tokens(self) -> list[Token]:
        """All tokens in order; every character that is not white space belongs to one."""
        return _TOKEN.findall(self.text)

    def place(self, token: int, part: str = "") -> tuple[int, int]:
        """(line, column), from 1, of token number `token`, or of `part` of it."""
        match = next(islice(_TOKEN.finditer(self.text), token, None))
        offset = match.start()
        if part:
            whole = re.compile(rf"(?<![^\s()]){re.escape(part)}(?![^\s()])")
            found = whole.search(self.text, offset, match.end())
            offset = found.start() if found else offset
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def error(self, message: str, token: int | None = None, part: str = "") -> SpecError:
        """A SpecError that points at the token (or part of it); without a token it names the source only."""
        line, column = (0, 0) if token is None else self.place(token, part)
        return SpecError(message, self.name, line, column)
