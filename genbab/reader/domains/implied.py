"""Whether a condition keeps the argument of a function inside its domain: Where(x > 0, log(x), 0).

Conditions are comparisons of a number of some node (or of its absolute value) with a constant, and what
And, Or and Not make of them; the argument must be an affine function of the same number. All in rational
arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch

from genbab.network import Diagonal, Identity, Index, LinearMap, Network
from genbab.network.maps.composition import gathered
from genbab.nonlinear import Nonlinearity, Product
from genbab.nonlinear.composed.defined import absent

DEPTH = 24
"""So many nodes are followed from a condition to what it compares."""

End = Fraction | float
Span = tuple[End, bool, End, bool]
"""(low, whether it is reached, high, whether it is reached)"""

Number = tuple[int, int]
"""(node, entry)"""

Fact = tuple[Number, tuple[Span, ...]]
"""A number, and where it lies."""

BELOW, UP_TO = (-math.inf, False, Fraction(0), False), (-math.inf, False, Fraction(0), True)
ABOVE, FROM = (Fraction(0), False, math.inf, False), (Fraction(0), True, math.inf, False)
ZERO: Span = (Fraction(0), True, Fraction(0), True)


class Implied:
    """What conditions of a network say of the arguments of functions."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._known: dict[tuple[object, ...], bool] = {}

    def holds(self, condition: Number, truth: bool, fn: Nonlinearity, argument: Number) -> bool:
        """Whether fn has a value wherever this entry of the condition has this truth."""
        root, slope, shift = self._affine(argument)
        spans: tuple[Span, ...] = ((-math.inf, False, math.inf, False),)
        for number, where in self._facts(condition, truth, DEPTH):
            for base, found in self._seen(number, where):
                if base == root:
                    spans = _common(spans, found)
        key = (fn, slope, shift, spans)
        if key not in self._known:
            self._known[key] = slope != 0 and all(_inside(fn, _image(s, slope, shift)) for s in spans)
        return self._known[key]

    def _facts(self, condition: Number, truth: bool, depth: int) -> list[Fact]:
        """What is known where the condition has this truth."""
        i, j = condition
        total, node = self.network.affine.get(i), self.network.nonlinear.get(i)
        if depth and total is not None and total.uncertainty.exact:
            terms = [(s, _entry(one, j)) for s, one in total.terms]
            shift = float(total.bias[j])
            if len(terms) == 1 and (one := terms[0][1]) is not None:
                if (one[1], shift) in ((1.0, 0.0), (-1.0, 1.0)):
                    return self._facts((terms[0][0], one[0]), truth == (shift == 0.0), depth - 1)
            return self._equality(terms, shift, truth)
        if node is None:
            return []
        if isinstance(node.fn, Product) and truth and depth:
            return [fact for a in node.args for fact in self._facts((a, j), True, depth - 1)]
        spans = {"step": (BELOW, FROM), "positive": (UP_TO, ABOVE)}.get(node.fn.name)
        return [] if spans is None else [((node.args[0], j), (spans[truth],))]

    def _equality(
        self, terms: Sequence[tuple[int, tuple[int, float] | None]], shift: float, truth: bool
    ) -> list[Fact]:
        """step(x) + step(-x) - 1: whether x is 0."""
        if len(terms) != 2 or shift != -1.0 or any(one is None or one[1] != 1.0 for _, one in terms):
            return []
        steps = [self.network.nonlinear.get(s) for s, _ in terms]
        arguments = []
        for node, (_, one) in zip(steps, terms, strict=True):
            if node is None or node.fn.name != "step" or one is None:
                return []
            arguments.append(self._affine((node.args[0], one[0])))
        (root, slope, by), other = arguments
        if other != (root, -slope, -by):
            return []
        spans = (ZERO,) if truth else (BELOW, ABOVE)
        return [(root, tuple(_image(span, 1 / slope, -by / slope) for span in spans))] if slope else []

    def _seen(self, number: Number, where: tuple[Span, ...]) -> list[Fact]:
        """What follows for the number that this one is an affine function of.

        Through an absolute value, too.
        """
        root, slope, shift = self._affine(number)
        if not slope:
            return []
        spans = tuple(_image(span, 1 / slope, -shift / slope) for span in where)
        node = self.network.nonlinear.get(root[0])
        found: list[Fact] = [(root, spans)]
        if node is not None and node.fn.name == "abs":
            spans = _common(spans, (FROM,))
            mirrored = (*spans, *(_image(span, Fraction(-1), Fraction(0)) for span in spans))
            found += self._seen((node.args[0], root[1]), mirrored)
        return found

    def _affine(self, number: Number) -> tuple[Number, Fraction, Fraction]:
        """(n, a, b): the number is a·n + b, n as early a node as can be."""
        slope, shift = Fraction(1), Fraction(0)
        while True:
            node = self.network.affine.get(number[0])
            if node is None or len(node.terms) != 1 or not node.uncertainty.exact:
                return number, slope, shift
            source, one = node.terms[0]
            entry = _entry(one, number[1])
            if entry is None:
                return number, slope, shift
            shift += slope * Fraction(float(node.bias[number[1]]))
            slope *= Fraction(entry[1])
            number = (source, entry[0])


def _entry(one: LinearMap, j: int) -> tuple[int, float] | None:
    """(k, w) when output j of the map is w times its input k, as is seen without work."""
    weight: Fraction = Fraction(1)
    for part in reversed(one.parts):
        step = gathered(part)
        if isinstance(step, Diagonal):
            weight *= Fraction(float(step.weight[j]))
        elif isinstance(step, Index):
            j = int(step.index[j])
            if j < 0:
                return None
        elif not isinstance(step, Identity):
            return None
    rounded = float(weight)
    return (j, rounded) if Fraction(rounded) == weight else None


def _image(span: Span, slope: Fraction, shift: Fraction) -> Span:
    """slope·x + shift for x of the span."""
    ends = [
        (end if math.isinf(end) else slope * Fraction(end) + shift, reached)
        for end, reached in ((span[0], span[1]), (span[2], span[3]))
    ]
    if slope < 0:
        ends = [(-end if math.isinf(end) else end, reached) for end, reached in reversed(ends)]
    return (*ends[0], *ends[1])


def _common(first: Sequence[Span], second: Sequence[Span]) -> tuple[Span, ...]:
    """The spans that both lists have in common."""
    found = []
    for a in first:
        for b in second:
            low = max((a[0], not a[1]), (b[0], not b[1]))
            high = min((a[2], a[3]), (b[2], b[3]))
            if low[0] < high[0] or (low[0] == high[0] and not low[1] and high[1]):
                found.append((low[0], not low[1], high[0], high[1]))
    return tuple(found)


def _inside(fn: Nonlinearity, span: Span) -> bool:
    """Whether fn has a value at every number of the span."""
    low, high = _number(span[0], span[1], -1), _number(span[2], span[3], 1)
    return not bool(absent(fn, *(torch.tensor([end], dtype=torch.float64) for end in (low, high))))


def _number(end: End, reached: bool, side: int) -> float:
    """The end as a number, rounded away from the span; the next one inside where a number is not reached."""
    if math.isinf(end):
        return float(end)
    near = float(end)
    if Fraction(near) == end:
        return near if reached else math.nextafter(near, -side * math.inf)
    outside = (near > end) == (side > 0)
    return near if outside else math.nextafter(near, side * math.inf)
