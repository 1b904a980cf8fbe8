"""From tokens to declarations, relations, linear rows and the disjunctive normal form, without recursion."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from genbab.specs.form.rows import Linear, NotLinear, Row, combine, rows_of
from genbab.specs.lowering.formula import Dnf, TooManyClauses, conjunction
from genbab.specs.numbers.numbers import why_not_a_number
from genbab.specs.vnnlib1.frames import EXPECTED, And, Assert, Frame, Misplaced, Operands, Or, Words
from genbab.specs.vnnlib1.tokens import VARIABLE, SourceText, Token

RELATIONS = ("<=", ">=", "<", ">", "=", "==")
IGNORED = ("set-logic", "set-info", "set-option", "check-sat", "get-model", "exit")
"""Commands of SMT-LIB files that say nothing about the specification."""

_PRODUCES = {"and": "formula", "or": "formula", "assert": "command"}
_PRODUCES |= dict.fromkeys(RELATIONS, "formula") | dict.fromkeys("+-*/", "term")
_PRODUCES |= dict.fromkeys(("declare-const", "declare-fun", *IGNORED), "command")
_VARIABLE = re.compile(VARIABLE, re.ASCII)
_NAME = re.compile(r"[XY]_(?:0|[1-9]\d*)", re.ASCII)


@dataclass
class Parsed:
    """What a text says: declared variables (with their token), and when it is satisfied.

    A literal is a token number: of a simple relation in `tokens`, or a key of `general`. The text is
    satisfied by a point that satisfies all literals of `common` and all those of at least one of `terms`.
    `uses` has the token of the first use of each variable outside the simple relations.
    """

    source: SourceText
    tokens: list[Token]
    declared: dict[str, int] = field(default_factory=dict)
    common: list[int] = field(default_factory=list)
    terms: Dnf = field(default_factory=list)
    general: dict[int, list[Row]] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)


class Parser:
    """One pass over the tokens of a source with an explicit stack of open parentheses."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.out = Parsed(source, source.tokens())
        self.stack: list[Frame] = []
        self.whole = And("whole text", 0)

    def run(self) -> Parsed:
        """What the text says; raises SpecError with line and column."""
        k = 0
        try:
            for k, (asserted, relation, _, _, name, word) in enumerate(self.out.tokens):
                if relation:
                    self._literal(k, asserted)
                elif name:
                    self._declare(k, name)
                elif word == ")":
                    self._close()
                elif word[0] == "(":
                    self._open(k, word[1:].strip())
                else:
                    self._symbol(k, word)
            if self.stack:
                k = self.stack[-1].at
                raise Misplaced(f"'({self.stack[-1].head}' is never closed: a ')' is missing")
            self.out.common = self.whole.plain
            self.out.terms = conjunction([], self.whole.factors)
        except (Misplaced, TooManyClauses, NotLinear) as problem:
            raise self.source.error(str(problem), k) from None
        return self.out

    def _literal(self, k: int, asserted: str) -> None:
        if not asserted and self.stack:
            self.stack[-1].literal(k)
        elif asserted and not self.stack:
            self.whole.plain.append(k)
        else:
            raise Misplaced(self._misplaced("assert" if asserted else self.out.tokens[k][1]))

    def _misplaced(self, head: str) -> str:
        """The complaint about '(head' at this place."""
        wants = self.stack[-1].wants if self.stack else "command"
        if not self.stack and head.startswith("vnnlib-version"):
            return "this is a VNN-LIB 2 text; this reader takes VNN-LIB 1.0"
        known = "" if head in _PRODUCES else "unknown "
        text = f"found {known}'({head}', expected {EXPECTED[wants]}"
        if self.stack and _PRODUCES.get(head) == "command":
            line, column = self.source.place(self.stack[-1].at)
            text += f"; is a ')' missing for '({self.stack[-1].head}' of {line}:{column}?"
        return text

    def _open(self, k: int, head: str) -> None:
        outer = self.stack[-1] if self.stack else None
        wants = outer.wants if outer else "command"
        if wants != "words" and _PRODUCES.get(head) != wants:
            raise Misplaced(self._misplaced(head))
        frame: Frame
        if wants == "words" or (wants == "command" and head != "assert"):
            frame = Words(head, k)
        elif head == "and":
            frame = And(head, k, outer if isinstance(outer, And) else None)
        elif head == "or":
            frame = Or(head, k, outer if isinstance(outer, Or) else None)
        else:
            frame = Assert(head, k) if wants == "command" else Operands(head, k)
        self.stack.append(frame)

    def _symbol(self, k: int, word: str) -> None:
        frame = self.stack[-1] if self.stack else None
        if isinstance(frame, Words):
            frame.words.append(word)
        elif not isinstance(frame, Operands):
            raise Misplaced(f"found '{word}', expected {EXPECTED[frame.wants if frame else 'command']}")
        elif _VARIABLE.fullmatch(word):
            self.out.uses.setdefault(word, k)
            frame.term(Linear({word: Fraction(1)}))
        else:
            reason = why_not_a_number(word)
            if reason:
                known = re.match(r"[-+.\d]|nan|inf", word, re.IGNORECASE)
                raise Misplaced(reason if known else f"found unknown '{word}', expected {EXPECTED['term']}")
            frame.term(Linear(constant=Fraction(word)))

    def _declare(self, k: int, name: str) -> None:
        if self.stack:
            raise Misplaced(self._misplaced("declare-const"))
        if not _NAME.fullmatch(name):
            raise Misplaced(f"found the name '{name}', expected X_i or Y_j with a number i, j from 0 on")
        if name in self.out.declared:
            raise Misplaced(f"'{name}' is declared twice")
        self.out.declared[name] = k

    def _close(self) -> None:
        if not self.stack:
            raise Misplaced("found ')' without a '(' to close")
        frame = self.stack.pop()
        outer = self.stack[-1] if self.stack else self.whole
        try:
            self._finish(frame, outer)
        except (Misplaced, TooManyClauses, NotLinear) as problem:
            raise self.source.error(str(problem), frame.at) from None

    def _finish(self, frame: Frame, outer: Frame) -> None:
        if isinstance(frame, (And, Or)):
            self._close_formula(frame, outer)
        elif isinstance(frame, Operands):
            self._close_terms(frame, outer)
        elif isinstance(frame, Assert):
            if not frame.dnf:
                raise Misplaced(f"an (assert ...) without {EXPECTED['formula']}")
            outer.formula(frame.dnf)
        elif isinstance(frame, Words):
            self._close_words(frame)

    def _close_formula(self, frame: And | Or, outer: Frame) -> None:
        if frame.size() == frame.start:
            raise Misplaced(f"'({frame.head})' is empty, expected {EXPECTED['formula']}")
        if frame.outer is None:
            outer.formula(conjunction(frame.plain, frame.factors) if isinstance(frame, And) else frame.terms)

    def _close_terms(self, frame: Operands, outer: Frame) -> None:
        relation = frame.head in RELATIONS
        if len(frame.terms) < (2 if relation else 1):
            raise Misplaced(
                f"'({frame.head} ...)' has {len(frame.terms)} terms, too few; a term is {EXPECTED['term']}"
            )
        if relation:
            self.out.general[frame.at] = rows_of(frame.head, frame.terms)
            outer.literal(frame.at)
        else:
            outer.term(combine(frame.head, frame.terms))

    def _close_words(self, frame: Words) -> None:
        if self.stack:  # a nested list of words
            outer = self.stack[-1]
            if isinstance(outer, Words):
                outer.words.append("()" if not frame.head and not frame.words else f"({frame.head} ...)")
        elif frame.head not in IGNORED:
            sorts = ["Real"] if frame.head == "declare-const" else ["()", "Real"]
            if frame.words[1:] != sorts:
                found = " ".join([frame.head, *frame.words])
                raise Misplaced(f"found '({found})', expected ({frame.head} X_0 {' '.join(sorts)})")
            self._declare(frame.at, frame.words[0])
