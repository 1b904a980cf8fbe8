"""Reads the text of a specification, VNN-LIB 1, with exact numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.intervals import FARTHEST, Array, Mask

TOKEN = re.compile(r";[^\n]*|[()]|[^\s();]+")
NUMBER = re.compile(r"[+-]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][+-]?\d{1,3})?")
VARIABLE = re.compile(r"[XY]_(0|[1-9]\d{0,8})")
MOST_DISJUNCTS, MOST_ATOMS, DEEPEST = 200_000, 4_000_000, 100
MOST_NUMBERS = 1 << 27
Coefficients = Mapping[str, Fraction]
Atom = tuple[Coefficients, Fraction, bool]  # sum of c v + constant <= 0, or < 0
Text = Any  # a token, or a list of texts


@dataclass(frozen=True)
class Inequality:
    """A row at most a number, or less than it: its number among the rows, and the right-hand side."""

    row: int
    limit: float
    strict: bool


@dataclass(frozen=True)
class Disjunct:
    """One way to be unsafe: the box of inputs, rounded outward, and the inequalities that all hold."""

    low: Array
    high: Array
    inequalities: tuple[Inequality, ...]


@dataclass(frozen=True)
class Specification:
    """The unsafe set: disjuncts, and the rows that their inequalities are about, by variable."""

    rows: list[Coefficients]
    disjuncts: list[Disjunct]


def read_specification(text: str, inputs: int, outputs: int, whole: Mask | None = None) -> Specification:
    """The unsafe set that a text describes for a model of so many inputs and outputs.

    whole: which inputs are integers (None: none); their bounds are integers, too.
    """
    if "(vnnlib-version" in text:
        raise Unusable("the specification is VNN-LIB 2, for which there is no rule")
    declared: set[str] = set()
    base: list[Atom] = []
    clauses: list[list[Atom]] = [[]]
    for command in _commands(text):
        if command[0] in ("declare-const", "declare-fun") and len(command) > 2:
            declared.add(str(command[1]))
        elif command[0] == "assert" and len(command) == 2:
            found = _disjunctive(command[1], declared, 0)
            if len(found) == 1:
                base.extend(found[0])
            else:
                clauses = _products(clauses, found)
        elif command[0] not in ("set-logic", "set-info", "check-sat", "exit"):
            raise Unusable(f"no rule for {_said(command)}")
    counts = [sum(name[0] == kind for name in declared) for kind in "XY"]
    if counts != [inputs, outputs]:
        raise Unusable(f"the specification has {counts} inputs and outputs, the model {[inputs, outputs]}")
    return _collected(base, clauses, np.zeros(inputs, bool) if whole is None else whole, outputs)


def _commands(text: str) -> Iterator[list[Text]]:
    """The commands; none says anything after the end."""
    if '"' in text or "|" in text:
        raise Unusable("no rule for quotes in a specification")
    ended = False
    for command in _parsed(text):
        if not isinstance(command, list) or not command or not isinstance(command[0], str):
            raise Unusable(f"no command: {_said(command)}")
        if ended and command[0] in ("declare-const", "declare-fun", "assert"):
            raise Unusable(f"{_said(command)} after check-sat or exit")
        ended = ended or command[0] in ("check-sat", "exit")
        yield command


def _said(text: Text) -> str:
    return str(text)[:80]


def _parsed(text: str) -> Sequence[Text]:
    stack: list[list[Text]] = [[]]
    for match in TOKEN.finditer(text):
        token = match.group()
        if token == "(":
            stack.append([])
            if len(stack) > DEEPEST:
                raise Unusable("the specification is nested too deep")
        elif token == ")":
            done = stack.pop()
            if not stack:
                raise Unusable("the specification closes a bracket that it has not opened")
            stack[-1].append(done)
        elif token[0] != ";":
            stack[-1].append(token)
    if len(stack) != 1:
        raise Unusable("the specification leaves a bracket open")
    return stack[0]


def _products(a: list[list[Atom]], b: list[list[Atom]]) -> list[list[Atom]]:
    if len(a) * len(b) > MOST_DISJUNCTS or sum(map(len, a)) * len(b) + sum(map(len, b)) * len(a) > MOST_ATOMS:
        raise Unusable(f"the specification has more than {MOST_DISJUNCTS} disjuncts, or is too long")
    return [x + y for x in a for y in b]


def _disjunctive(text: Text, declared: set[str], depth: int) -> list[list[Atom]]:
    """The formula as a disjunction of conjunctions."""
    if not isinstance(text, list) or not text:
        raise Unusable(f"no formula: {_said(text)}")
    word, parts = text[0], text[1:]
    if word == "and":
        whole: list[list[Atom]] = [[]]
        for part in parts:
            whole = _products(whole, _disjunctive(part, declared, depth + 1))
        return whole
    if word == "or":
        return [clause for part in parts for clause in _disjunctive(part, declared, depth + 1)]
    if word in ("<=", ">=", "<", ">", "=") and len(parts) == 2:
        a, b = (_linear(part, declared) for part in parts)
        forward, back = _less(a, b, word in ("<", ">")), _less(b, a, word in ("<", ">"))
        return [[forward, back]] if word == "=" else [[forward if word[0] == "<" else back]]
    raise Unusable(f"no rule for {_said(text)}")


def _less(a: Atom, b: Atom, strict: bool) -> Atom:
    return _plus(a[0], b[0], Fraction(-1)), a[1] - b[1], strict


def _plus(a: Coefficients, b: Coefficients, factor: Fraction) -> Coefficients:
    total = dict(a)
    for name, value in b.items():
        total[name] = total.get(name, Fraction(0)) + factor * value
    return {name: value for name, value in total.items() if value}


def _linear(text: Text, declared: set[str]) -> Atom:
    """A term as coefficients of variables and a constant."""
    if isinstance(text, str):
        if VARIABLE.fullmatch(text) and text in declared:
            return {text: Fraction(1)}, Fraction(0), False
        if NUMBER.fullmatch(text):
            return {}, Fraction(text), False
    elif len(text) > 1 and text[0] in ("+", "-", "*", "/"):
        terms = [_linear(part, declared) for part in text[1:]]
        total = terms[0]
        if text[0] == "-" and len(terms) == 1:
            return _plus({}, total[0], Fraction(-1)), -total[1], False
        for term in terms[1:]:
            total = _combined(text, total, term)
        return total
    raise Unusable(f"no linear term: {_said(text)}")


def _combined(text: Text, a: Atom, b: Atom) -> Atom:
    if text[0] in ("+", "-"):
        sign = Fraction(1 if text[0] == "+" else -1)
        return _plus(a[0], b[0], sign), a[1] + sign * b[1], False
    if text[0] == "*" and not a[0]:
        a, b = b, a
    if b[0] or (text[0] == "/" and not b[1]):
        raise Unusable(f"no linear term: {_said(text)}")
    factor = b[1] if text[0] == "*" else 1 / b[1]
    return {name: value * factor for name, value in a[0].items() if factor}, a[1] * factor, False


def rounded(value: Fraction, up: bool) -> float:
    """The nearest float64 that is at least, or at most, the number."""
    try:
        near = float(value)
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    if up and (near == -math.inf or (math.isfinite(near) and Fraction(near) < value)):
        return math.nextafter(near, math.inf)
    if not up and (near == math.inf or (math.isfinite(near) and Fraction(near) > value)):
        return math.nextafter(near, -math.inf)
    return near


def outermost(end: Fraction, upper: bool, strict: bool) -> Fraction:
    """The largest integer at most a number, or less than it; the least one from it, or above it, on."""
    if upper:
        return Fraction(math.ceil(end) - 1 if strict else math.floor(end))
    return Fraction(math.floor(end) + 1 if strict else math.ceil(end))


class _Rows:
    """The rows met so far, each once."""

    def __init__(self) -> None:
        self.rows: list[Coefficients] = []
        self._numbers: dict[tuple[tuple[str, Fraction], ...], int] = {}

    def number(self, row: Coefficients) -> int:
        key = tuple(sorted(row.items()))
        if key not in self._numbers:
            self._numbers[key] = len(self.rows)
            self.rows.append(row)
        return self._numbers[key]


def _collected(base: list[Atom], clauses: list[list[Atom]], whole: Mask, outputs: int) -> Specification:
    rows, inputs = _Rows(), len(whole)
    low, high = np.full(inputs, -np.inf), np.full(inputs, np.inf)
    shared = list(_bounds(base, (low, high), whole, rows, outputs))
    disjuncts = []
    if len(clauses) * inputs > MOST_NUMBERS:
        raise Unusable(f"the specification has {len(clauses)} disjuncts of {inputs} inputs: too many")
    for clause in clauses:
        mine = (low.copy(), high.copy()) if clause else (low, high)
        inequalities = (*shared, *_bounds(clause, mine, whole, rows, outputs))
        inequalities = inequalities or (Inequality(rows.number({}), 0.0, False),)  # 0 <= 0
        bounded = (mine[0] >= -FARTHEST) & (mine[1] <= FARTHEST)
        if not bounded.all():
            index = int(np.argmin(bounded))
            raise Unusable(f"a disjunct of the specification does not bound X_{index} on both sides")
        disjuncts.append(Disjunct(*mine, inequalities))
    return Specification(rows.rows, disjuncts)


def _bounds(
    atoms: Sequence[Atom], box: tuple[Array, Array], whole: Mask, rows: _Rows, outputs: int
) -> Iterator[Inequality]:
    """The inequalities that are no bounds of single inputs; those are put into the box."""
    low, high = box
    for coefficients, constant, strict in atoms:
        for name in coefficients:
            if int(name[2:]) >= (len(low) if name[0] == "X" else outputs):
                raise Unusable(f"the model has no {name}")
        if len(coefficients) == 1 and (name := next(iter(coefficients)))[0] == "X":
            factor, index = coefficients[name], int(name[2:])
            end, upper = -constant / factor, factor > 0
            end = outermost(end, upper, strict) if whole[index] else end
            if upper:
                high[index] = min(high[index], rounded(end, up=True))
            else:
                low[index] = max(low[index], rounded(end, up=False))
        else:
            yield Inequality(rows.number(coefficients), rounded(-constant, up=True), strict)
