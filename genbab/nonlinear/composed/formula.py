"""Functions as a person writes them: "gelu", "power(3)", "x*sigmoid(x)". Nothing is evaluated as Python."""

from __future__ import annotations

import ast
import difflib
import inspect
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction

import torch

from genbab.errors import UsageError
from genbab.nonlinear.composed.composed import compose
from genbab.nonlinear.expressions.expression import Expression, X, apply, combine
from genbab.nonlinear.expressions.traced import Traced, maximum, minimum
from genbab.nonlinear.facts.real import LEAST, Real, real
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import DEFINITIONS, REGISTRY, make
from genbab.nonlinear.identities.known import rewritten

_LONGEST = 2000
CONSTANTS = {"pi": math.pi}
EXACT = {"pi": Real(math.pi, 1.25e-16, 1)}
"""The constants as real numbers."""
SMALL = sys.float_info.min
"""Numbers below this lose digits in float64."""

CHOICES = {"max": maximum, "min": minimum}

Term = Traced | float
"""A part of a formula; numbers are computed in double precision and count as what comes out."""

_BINARY: dict[type[ast.operator], Callable[[Term, Term], Term]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def function(text: str) -> Nonlinearity:
    """The function that a name ("gelu", "power(3)") or a formula in x says, by its known name if it has one.

    Raises UsageError with the column of what cannot be understood, or where the facts cannot be certified.
    """
    text = " ".join(text.split())
    tree = _tree(text)
    if isinstance(tree, ast.Name) and tree.id not in ("x", *CONSTANTS):
        return _FormulaReader(text).record(tree, tree, [])
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id not in CHOICES:
        reader = _FormulaReader(text)
        reader.known(tree.func)
        terms = [reader.term(argument) for argument in tree.args]
        if not tree.keywords and all(isinstance(t, float) for t in terms):
            return reader.record(tree, tree.func, [t for t in terms if isinstance(t, float)])
    return compose(rewritten(_expression(text, tree)))


def formula(text: str, parameters: Mapping[str, float] | None = None) -> Expression:
    """The expression that a formula in x is: numbers, pi, + - * / **, max, min, functions of the library.

    `parameters` are further names of numbers.

    A function takes its argument first, then its parameters: elu(x, 0.5). Raises UsageError with the column
    of what cannot be understood.
    """
    text = " ".join(text.split())
    return _expression(text, _tree(text), {**CONSTANTS, **(parameters or {})})


def exactly(text: str, parameters: Mapping[str, float] | None = None) -> Expression:
    """As `formula`, where every number counts as it is written: what float64 makes of it stays known."""
    text = " ".join(text.split())
    return _expression(text, _tree(text), {**EXACT, **(parameters or {})}, True)


def decimal(text: str) -> Real:
    """The number that a text of digits is, all of them, with what its float is off by."""
    value = float(text)
    if not math.isfinite(value):
        raise UsageError("this is no finite number of double precision")
    if abs(value) < SMALL:  # and a Fraction of it may have any number of digits
        zero = not re.search("[1-9]", re.split("[eE]", text)[0])
        return Real(0.0) if zero else Real(value, LEAST, hash(("decimal", text)))
    exact = Fraction(text)
    off = abs(exact - Fraction(value))
    return Real(value, math.nextafter(float(off), math.inf) if off else 0.0, hash(("decimal", exact)))


def numeral(text: str, node: ast.Constant) -> Real:
    """The number that stands in a formula; raises UsageError for one beyond float64."""
    if isinstance(node.value, int):
        return decimal(str(node.value))
    return decimal((ast.get_source_segment(text, node) or repr(node.value)).replace("_", ""))


def definition(fn: Nonlinearity) -> Expression | None:
    """What a function of the library is in terms of others, at its parameters; None where it is none."""
    return _defined(fn, formula)


def defined_exactly(fn: Nonlinearity) -> Expression | None:
    """As `definition`, where every number counts as it is written."""
    return _defined(fn, exactly)


def _defined(fn: Nonlinearity, read: Callable[[str, Mapping[str, float]], Expression]) -> Expression | None:
    if fn.name not in DEFINITIONS:
        return None
    names = inspect.signature(REGISTRY[fn.name]).parameters
    return read(DEFINITIONS[fn.name], dict(zip(names, map(real, fn.params), strict=True)))


def signature(name: str) -> str:
    """A function of the library with its parameters: "tanh", "leaky_relu(a=0.01)"."""
    parameters = inspect.signature(REGISTRY[name]).parameters.values()
    listed = [
        p.name if p.default is p.empty else f"{p.name}={p.default:.6g}"
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return f"{name}({', '.join(listed)})" if listed else name


def suggested(name: str) -> str:
    """Words to add to an unknown name: which functions are called nearly so."""
    near = difflib.get_close_matches(name, [*REGISTRY, *CHOICES], 3, 0.55)
    return f" (did you mean {' or '.join(near)}?)" if near else "; genbab relax --list shows all"


def _tree(text: str) -> ast.expr:
    if not text:
        raise UsageError("the formula is empty")
    if len(text) > _LONGEST:
        raise UsageError(f"the formula has {len(text)} characters, more than {_LONGEST}")
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = min((error.offset or len(text) + 1) - 1, len(text))
        raise UsageError(_pointed(text, place, error.msg)) from None
    except (ValueError, RecursionError, MemoryError):
        raise UsageError("the formula cannot be read: it is nested too deeply, or no text") from None


def _expression(
    text: str, tree: ast.expr, numbers: Mapping[str, float] = CONSTANTS, exact: bool = False
) -> Expression:
    try:
        term = _FormulaReader(text, numbers, exact).term(tree)
    except RecursionError:
        raise UsageError("the formula is nested too deeply") from None
    return term.expression if isinstance(term, Traced) else combine([], term)


def _pointed(text: str, place: int, what: str) -> str:
    """The message, with the part of the formula around a place and a mark below it."""
    first, last = max(0, place - 60), min(len(text), place + 60)
    return f"formula, column {place + 1}: {what}\n  {text[first:last]}\n  {' ' * (place - first)}^"


class _FormulaReader:
    """Turns the tree of one formula into terms; `numbers` are those with names.

    exact: numbers are real ones, each with what its float64 is off by.
    """

    def __init__(self, text: str, numbers: Mapping[str, float] = CONSTANTS, exact: bool = False) -> None:
        self.text, self.numbers, self.exact = text, numbers, exact

    def wrong(self, node: ast.expr, what: str) -> UsageError:
        bytes_before = self.text.encode()[: node.col_offset]
        return UsageError(_pointed(self.text, len(bytes_before.decode()), what))

    def term(self, node: ast.expr) -> Term:
        """What a node means; a number wherever it does not depend on x."""
        try:
            found = self._term(node)
        except (OverflowError, ZeroDivisionError):
            raise self.wrong(node, "this is no finite number") from None
        except UsageError as error:
            if str(error).startswith("formula, column "):
                raise
            raise self.wrong(node, str(error)) from None
        if isinstance(found, Traced) and (affine := found.expression.affine) and not affine[0]:
            found = affine[1]
        if not isinstance(found, Traced) and not math.isfinite(found):
            raise self.wrong(node, "this is no finite number")
        return found

    def _term(self, node: ast.expr) -> Term:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            if isinstance(node.value, bool):
                raise self.wrong(node, "a number is needed here")
            return numeral(self.text, node) if self.exact else float(node.value)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.term(node.operand)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise self.wrong(node, "only numbers, x, + - * / ** and calls of functions can be used")

    def _name(self, node: ast.Name) -> Term:
        if node.id == "x":
            return Traced(X)
        if node.id in self.numbers:
            return self.numbers[node.id]
        if node.id in REGISTRY:
            raise self.wrong(node, f"'{node.id}' is a function: write {node.id}(x)")
        raise self.wrong(node, f"unknown name '{node.id}'; the variable is x")

    def _binary(self, node: ast.BinOp) -> Term:
        if isinstance(node.op, ast.BitXor):
            raise self.wrong(node.right, "^ is no operator here; a power is written x**2")
        if not isinstance(node.op, (*_BINARY, ast.Pow)):
            raise self.wrong(node, f"the operator {type(node.op).__name__} cannot be used; + - * / ** can")
        left, right = self.term(node.left), self.term(node.right)
        if isinstance(node.op, ast.Pow):
            return self._power(node, left, right)
        if isinstance(node.op, ast.Div) and not isinstance(right, Traced) and right == 0.0:
            raise self.wrong(node.right, "division by zero")
        return _BINARY[type(node.op)](left, right)

    def _power(self, node: ast.BinOp, base: Term, exponent: Term) -> Term:
        if isinstance(exponent, Traced):
            if isinstance(base, Traced) or base <= 0.0:
                raise self.wrong(node.right, "an exponent with x in it needs a positive number as its base")
            return Traced(apply(make("exp"), (exponent * math.log(base)).expression))
        if isinstance(base, Traced):
            return base**exponent
        raised = base**exponent
        if not isinstance(raised, float):
            raise self.wrong(node, "this is no real number")
        return raised

    def _call(self, node: ast.Call) -> Term:
        if not isinstance(node.func, ast.Name):
            raise self.wrong(node.func, "a function is called by its name")
        self.known(node.func)
        if node.keywords:
            raise self.wrong(node.keywords[0].value, "parameters are given in their order, without names")
        terms = [self.term(argument) for argument in node.args]
        name = node.func.id
        if name in CHOICES:
            if len(terms) < 2:
                self.record(node, node.func, [])
            first, *rest = terms
            for other in rest:
                first = CHOICES[name](first, other)
            return first
        if not terms:
            raise self.wrong(node, f"an argument is missing: {name}(x)")
        params = [p for p in terms[1:] if isinstance(p, float)]
        if len(params) < len(terms) - 1:
            raise self.wrong(node, f"the parameters of {name} must be numbers; its argument comes first")
        record, argument = self.record(node, node.func, params), terms[0]
        if isinstance(argument, Traced):
            return Traced(apply(record, argument.expression))
        return float(record.value(torch.tensor(argument, dtype=torch.float64)))

    def known(self, name: ast.Name) -> None:
        """Raises UsageError for what is no function, with those of a similar name."""
        if name.id not in REGISTRY and name.id not in CHOICES:
            raise self.wrong(name, f"unknown function '{name.id}'{suggested(name.id)}")

    def record(self, node: ast.expr, name: ast.Name, params: list[float]) -> Nonlinearity:
        """The function of the library at these parameters."""
        self.known(name)
        if name.id in CHOICES:
            raise self.wrong(node, f"{name.id} takes two or more arguments, for instance {name.id}(x, 0)")
        try:
            return make(name.id, *params)
        except TypeError:
            given = ", ".join(f"{p:g}" for p in params) or "none"
            raise self.wrong(node, f"the parameters of {signature(name.id)}: given are {given}") from None
        except UsageError as error:
            raise self.wrong(node, str(error)) from None
