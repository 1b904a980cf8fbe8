"""Comparisons of tensors that vary, and truth values: 0 and 1 as real numbers."""

from __future__ import annotations

from collections.abc import Sequence

from genbab.check.functions.formula import apply, argument
from genbab.check.model.operators.layers import exactly, multiplied
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.program import Tensor, Wire

X = argument()


def _above(node: Node, a: Tensor, b: Tensor) -> Wire:
    """1 where a > b."""
    return node.program.elementwise(apply("above", X), [node.program.sum(a, b, -1.0)])


def _not(node: Node, x: Tensor) -> Wire:
    return node.program.sum(exactly(1.0), x, -1.0)


def _compared(node: Node) -> Sequence[Tensor]:
    a, b = node.tensor(0), node.tensor(1)
    if node.op == "Equal":
        return [multiplied(node.program, _not(node, _above(node, a, b)), _not(node, _above(node, b, a)))]
    first, second = (a, b) if node.op in ("Greater", "LessOrEqual") else (b, a)
    found = _above(node, first, second)
    return [_not(node, found) if "OrEqual" in node.op else found]


def _joined(node: Node) -> Sequence[Tensor]:
    """a b for and, a + b - a b for or, a + b - 2 a b for exclusive or."""
    a, b = node.tensor(0), node.tensor(1)
    both = multiplied(node.program, a, b)
    if node.op == "And":
        return [both]
    more = node.program.scale(both, exactly(-1.0 if node.op == "Or" else -2.0))
    return [node.program.sum(node.program.sum(a, b), more)]


LOGIC: dict[str, Rule] = {
    **dict.fromkeys(("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"), _compared),
    **dict.fromkeys(("And", "Or", "Xor"), _joined),
    "Not": lambda node: [_not(node, node.wire())],
}
