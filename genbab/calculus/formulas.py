"""`formulas`: a model whose outputs are formulas of a model's inputs, outputs and their derivatives."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from genbab.api import load
from genbab.calculus.derivatives import LARGEST
from genbab.errors import UsageError
from genbab.nonlinear.composed.formula import EXACT, numeral, suggested
from genbab.nonlinear.facts.real import Real
from genbab.nonlinear.facts.registry import REGISTRY, make
from genbab.reader import Model
from genbab.reader.derive.asked import Asked, Quantity, differentiated_by
from genbab.reader.derive.model import made_of
from genbab.reader.derive.sketch import Maybe
from genbab.reader.derive.source import differentiable
from genbab.reader.domains.domains import partial
from genbab.system.device import usual_torch

LONGEST = 4000
VARIABLE = re.compile(r"([xy])_?(\d+)")
ACCEPTED = "x0, y0, d(y0, x1), d(y0, x1, x1), numbers, pi, + - * / **, and functions such as sin(x0)"

Term = Real | int
"""A number, or a node of one entry."""


def formulas(model: Any, *texts: str, example: Any = None) -> Model:
    """A model of the same inputs whose outputs are these formulas, over the real numbers.

    x0, x1, ... are the inputs, y0, y1, ... the outputs, flat; d(y0, x1) is ∂y0/∂x1, d(y0, x1, x1) its second
    derivative, d(y0, x0, x1) a mixed one; numbers are the decimals that they are written as. For instance
    "d(y0, x1) + y0*d(y0, x0) - 0.01/pi*d(y0, x0, x0)", the residual of Burgers' equation. Raises `UsageError`
    with the column of what cannot be understood, and as `derivative`.
    """
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UsageError("formulas(model, ...): at least one formula is needed, each a text")
    loaded = load(model, example)
    size = loaded.network.input_size, loaded.network.output_size
    read = [FormulaTree(text, *size) for text in texts]
    needed = [sorted(one.quantities()) for one in read]
    with usual_torch():
        asked = differentiated_by(differentiable(loaded), sorted({q for one in needed for q in one}))
        guards: list[int] = []
        rows = [(Written(tree, asked, guards).row(), 0) for tree in read]
        made = asked.network(rows, [[y for y, _ in one] for one in needed], guards)
        return made_of(loaded, made, "formulas")


def has_derivatives(model: Model, text: str) -> bool:
    """Whether a formula speaks of derivatives; raises as `formulas`."""
    tree = FormulaTree(text, model.network.input_size, model.network.output_size)
    return any(inputs for _, inputs in tree.quantities())


class FormulaTree:
    """A formula as Python reads it, for a model of so many inputs and outputs."""

    def __init__(self, text: str, inputs: int, outputs: int) -> None:
        self.text = " ".join(text.split())
        self.count = {"x": inputs, "y": outputs}
        if len(self.text) > LONGEST:
            raise UsageError(f"the formula has {len(self.text)} characters, more than {LONGEST}")
        try:
            self.root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise UsageError(self.pointed((error.offset or 1) - 1, error.msg)) from None
        except (ValueError, RecursionError, MemoryError):
            raise UsageError("the formula cannot be read: it is nested too deeply, or no text") from None

    def pointed(self, place: int, what: str) -> str:
        """The message, with a mark below its place."""
        place = min(max(place, 0), len(self.text))
        first, last = max(0, place - 60), min(len(self.text), place + 60)
        return f"formula, column {place + 1}: {what}\n  {self.text[first:last]}\n  {' ' * (place - first)}^"

    def wrong(self, node: ast.expr, what: str) -> UsageError:
        """The error at a part of the formula."""
        return UsageError(self.pointed(len(self.text.encode()[: node.col_offset].decode()), what))

    def quantities(self) -> set[Quantity]:
        """The outputs and derivatives that the formula speaks of."""
        found: set[Quantity] = set()
        waiting: list[ast.AST] = [self.root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "d":
                found.add(self.derivative(node))
            elif isinstance(node, ast.Name) and node.id[0] == "y" and VARIABLE.fullmatch(node.id):
                found.add((self.variable(node)[1], ()))
            else:
                waiting += ast.iter_child_nodes(node)
        return found

    def variable(self, node: ast.expr, kinds: str = "xy") -> tuple[str, int]:
        """("x" or "y", its number)."""
        found = VARIABLE.fullmatch(node.id) if isinstance(node, ast.Name) else None
        if found is None or found[1] not in kinds:
            wanted = " or ".join(f"{kind}0" for kind in kinds)
            raise self.wrong(node, f"a variable such as {wanted} is needed here")
        kind, number = found[1], int(found[2])
        if number >= self.count[kind]:
            what = "input" if kind == "x" else "output"
            raise self.wrong(
                node, f"the model has {self.count[kind]} {what}s: {kind}0 to {kind}{self.count[kind] - 1}"
            )
        return kind, number

    def derivative(self, node: ast.Call) -> Quantity:
        """What d(y0, x1, ...) asks for."""
        if not 2 <= len(node.args) <= LARGEST + 1 or node.keywords:
            raise self.wrong(node, f"d takes an output and 1 to {LARGEST} inputs, as in d(y0, x1, x1)")
        inputs = sorted(self.variable(one, "x")[1] for one in node.args[1:])
        return self.variable(node.args[0], "y")[1], tuple(inputs)


class Written:
    """Writes one formula into a sketch, and its functions that are undefined somewhere into `guards`."""

    def __init__(self, tree: FormulaTree, asked: Asked, guards: list[int]) -> None:
        self.tree, self.asked, self.guards, self.sketch = tree, asked, guards, asked.sketch

    def row(self) -> Maybe:
        """The node of the formula; None for 0."""
        self.sketch.label = self.tree.text
        try:
            term = self.term(self.tree.root)
        except RecursionError:
            raise UsageError("the formula is nested too deeply") from None
        return self.sketch.combined([], term, 1) if isinstance(term, Real) else term

    def term(self, node: ast.expr) -> Term:
        """What a part of the formula means."""
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.term(node.operand)
            return self._times(Real(-1.0), inner) if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp):
            rule = _OPERATORS.get(type(node.op))
            if rule is not None:
                return rule(self, node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node, node.func)
        raise self.tree.wrong(node, f"this cannot be used; a formula has {ACCEPTED}")

    def _number(self, node: ast.Constant) -> Real:
        try:
            return numeral(self.tree.text, node)
        except (UsageError, OverflowError) as error:
            raise self.tree.wrong(node, str(error)) from None

    def _name(self, node: ast.Name) -> Term:
        if node.id in EXACT:
            return EXACT[node.id]
        if not VARIABLE.fullmatch(node.id):
            raise self.tree.wrong(node, f"unknown name '{node.id}'; a formula has {ACCEPTED}")
        kind, number = self.tree.variable(node)
        return self._at(*self.asked.place[number, ()]) if kind == "y" else self._at(0, number)

    def _at(self, node: Maybe, entry: int) -> Term:
        picked = self.sketch.picked(node, entry)
        return Real(0.0) if picked is None else picked

    def _call(self, node: ast.Call, name: ast.Name) -> Term:
        if name.id == "d":
            return self._at(*self.asked.place[self.tree.derivative(node)])
        terms = [self.term(one) for one in node.args]
        if name.id in ("max", "min"):
            if len(terms) < 2:
                raise self.tree.wrong(node, f"{name.id} takes two or more arguments")
            sign = Real(1.0 if name.id == "max" else -1.0)
            return functools.reduce(lambda a, b: self._larger(node, sign, a, b), terms)
        if name.id not in REGISTRY:
            raise self.tree.wrong(name, f"unknown function '{name.id}'{suggested(name.id)}")
        return self._function(node, name.id, terms)

    def _larger(self, node: ast.expr, sign: Real, a: Term, b: Term) -> Term:
        """The larger of both, by this sign."""
        apart = self._plus(a, self._times(Real(-1.0), b))
        return self._plus(b, self._times(sign, self._function(node, "relu", [self._times(sign, apart)])))

    def _function(self, node: ast.expr, name: str, terms: Sequence[Term]) -> Term:
        numbers = [t for t in terms[1:] if isinstance(t, Real)]
        if not terms or len(numbers) < len(terms) - 1:
            raise self.tree.wrong(node, f"{name} takes its argument first, then numbers as its parameters")
        try:
            fn = make(name, *numbers)
        except (TypeError, UsageError) as error:
            raise self.tree.wrong(node, str(error)) from None
        x = terms[0]
        argument = self.sketch.combined([], x, 1) if isinstance(x, Real) else x
        made = self.sketch.applied(fn, argument, 1)
        if partial(fn):
            self.guards.append(made)
        return made

    def _plus(self, a: Term, b: Term) -> Term:
        if isinstance(a, Real) and isinstance(b, Real):
            return a + b
        shift = a if isinstance(a, Real) else b if isinstance(b, Real) else Real(0.0)
        nodes = [(one, 1.0) for one in (a, b) if not isinstance(one, Real)]
        if nodes[0] == nodes[-1] and len(nodes) == 2:
            nodes = [(nodes[0][0], 2.0)]
        made = self.sketch.combined(nodes, shift, 1)
        return Real(0.0) if made is None else made

    def _times(self, a: Term, b: Term) -> Term:
        if isinstance(a, Real) and isinstance(b, Real):
            return a * b
        if isinstance(a, Real) or isinstance(b, Real):
            number, node = (a, b) if isinstance(a, Real) else (b, a)
            made = self.sketch.combined([(node, number)], 0.0, 1) if number else None  # type: ignore[list-item]
        else:
            made = self.sketch.product(a, b)
        return Real(0.0) if made is None else made

    def sum(self, node: ast.BinOp) -> Term:
        """a + b or a - b."""
        right = self.term(node.right)
        return self._plus(
            self.term(node.left), self._times(Real(-1.0), right) if isinstance(node.op, ast.Sub) else right
        )

    def product(self, node: ast.BinOp) -> Term:
        """a·b."""
        return self._times(self.term(node.left), self.term(node.right))

    def quotient(self, node: ast.BinOp) -> Term:
        """a / b."""
        right = self.term(node.right)
        if isinstance(right, Real):
            if abs(float(right)) <= right.error:
                raise self.tree.wrong(node.right, "division by zero")
            return self._times(self.term(node.left), Real(1.0) / right)
        return self._times(self.term(node.left), self._function(node.right, "reciprocal", [right]))

    def power(self, node: ast.BinOp) -> Term:
        """a ** n."""
        base, exponent = self.term(node.left), self.term(node.right)
        if not isinstance(exponent, Real) or not exponent.exact:
            raise self.tree.wrong(
                node.right, "an exponent must be a number that float64 holds, such as 2 or 0.5"
            )
        n = float(exponent)
        if isinstance(base, Real):
            if not n.is_integer() and not base > 0.0:
                raise self.tree.wrong(node.left, "a power of a number that is not above 0 must be whole")
            return base**n if n else Real(1.0)
        if n in (0.0, 1.0):
            return base if n else Real(1.0)
        if n.is_integer() and n > 0:
            made = self.sketch.power(base, int(n))
            return Real(0.0) if made is None else made
        return self._function(node.right, "power", [base, exponent])


_OPERATORS: dict[type[ast.operator], Callable[[Written, ast.BinOp], Term]] = {
    ast.Add: Written.sum,
    ast.Sub: Written.sum,
    ast.Mult: Written.product,
    ast.Div: Written.quotient,
    ast.Pow: Written.power,
}
