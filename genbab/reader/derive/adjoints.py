"""Reverse differentiation: from one linear form of the outputs back to all inputs."""

from __future__ import annotations

from collections import defaultdict

from torch import Tensor

from genbab.network import Adjoint, Affine, Grouped, Identity, Index, Input, LinearMap, Meaning, Nonlinear
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.reader.derive.rules import refuse_jumps, softmax_rows
from genbab.reader.derive.sketch import Maybe
from genbab.reader.derive.tangents import Primal

Parts = list[tuple[int, Maybe]]
"""Which sources get what of the form."""


class Adjoints(Meaning[int, Parts]):
    """The derivatives of linear forms of the output by every node, and so by the input."""

    def __init__(self, values: Primal) -> None:
        self.values = values
        self.network, self.sketch = values.network, values.sketch

    def of(self, form: Tensor) -> Maybe:
        """The gradient (D,) of a form (O,) of the output."""
        found: defaultdict[int, list[Maybe]] = defaultdict(list)
        output = self.network.output
        found[output].append(self.sketch.constant(form))
        for i in sorted(self.values.number, reverse=True):
            node = self.network.nodes[i]
            self.sketch.label = self.network.name(i)
            parts = [(part, 1.0) for part in found.pop(i, [])]
            whole = self.sketch.total(parts)
            if i == 0:
                return whole
            if whole is not None:
                for source, part in node.meet(self, i, whole):
                    found[source].append(part)
        return None

    def input(self, i: int, node: Input, x: int) -> Parts:
        """The input reads nothing."""
        return []

    def affine(self, i: int, node: Affine, x: int) -> Parts:
        """The adjoints of the maps, with what these are off by."""
        doubt = node.uncertainty
        made = []
        for source in dict.fromkeys(s for s, _ in (*node.terms, *doubt.weights)):
            terms = [(x, _turned(one)) for s, one in node.terms if s == source]
            weights = [(x, _turned(one)) for s, one in doubt.weights if s == source]
            made.append((source, self.sketch.affine(terms, doubt.roundings, weights)))
        return made

    def nonlinear(self, i: int, node: Nonlinear, x: int) -> Parts:
        """Times the derivative, or times the other factor."""
        if isinstance(node.fn, Nonlinearity):
            return [(node.args[0], self._times_slope(i, node.fn, node.args[0], x))]
        first, second = node.args
        at_first, number = self.values.number[first], self.values.number
        if isinstance(node.fn, Product):
            made = [
                (first, self.sketch.product(x, number[second])),
                (second, self.sketch.product(x, at_first)),
            ]
            return made
        assert isinstance(node.fn, Gate)
        gated = self.sketch.product(self.values.slope(node.fn.g, 0, second), x)
        inner = self.sketch.product(x, at_first)
        steep = None if inner is None else self._times_slope(i, node.fn.g, second, inner)
        return [(first, gated), (second, steep)]

    def _times_slope(self, i: int, fn: Nonlinearity, argument: int, x: int) -> Maybe:
        refuse_jumps(fn, f"node '{self.network.name(i)}'")
        return self.sketch.product(self.values.slope(fn, 1, argument), x)

    def grouped(self, i: int, node: Grouped, x: int) -> Parts:
        """s·(x - Σ s·x) of a softmax s: its matrix of derivatives is symmetric."""
        rows, s = softmax_rows(node, f"node '{self.network.name(i)}'"), self.values.number[i]
        weighted = self.sketch.product(s, x)
        mean = None if weighted is None else self.sketch.affine([(weighted, rows)])
        centred = self.sketch.total([(x, 1.0), (mean, -1.0)])
        return [(node.args[0], self.sketch.product(s, centred))]


def _turned(one: LinearMap) -> LinearMap:
    """The adjoint, as a simpler map where there is one."""
    if isinstance(one, Identity):
        return one
    if isinstance(one, Adjoint):
        return one.map
    inverse = one.inverse if isinstance(one, Index) else None
    return inverse if inverse is not None else Adjoint(one)
