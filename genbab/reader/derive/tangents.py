"""Forward differentiation: beside the value of every node, its derivatives in the directions asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from torch import Tensor

from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear
from genbab.nonlinear import Expression, Gate, Nonlinearity, Product
from genbab.nonlinear.composed.slopes import slope
from genbab.reader.derive.rules import Directions, chain_rule, product_rule, refuse_jumps, softmax_rows
from genbab.reader.derive.sketch import Maybe, Sketch


class Primal(Meaning[None, Maybe]):
    """The value of each node of a network, written into a sketch; `number` says where."""

    def __init__(self, network: Network, sketch: Sketch) -> None:
        self.network, self.sketch = network, sketch
        self.number: dict[int, int] = {}
        for i in sorted(network.ancestors[network.output] | {0, network.output}):
            sketch.label = network.name(i)
            made = network.nodes[i].meet(self, i, None)
            assert made is not None
            self.number[i] = made

    def input(self, i: int, node: Input, x: None) -> Maybe:
        """The input itself, the first node of the sketch."""
        return 0

    def affine(self, i: int, node: Affine, x: None) -> Maybe:
        """The same sum."""
        return self.sketch.append(node.renumbered(self.number))

    def function(self, i: int, node: Nonlinear | Grouped, x: None) -> Maybe:
        """The same function, step by step where it is written as an expression."""
        fn = node.fn
        if isinstance(fn, Nonlinearity) and isinstance(fn.written, Expression):
            return self.sketch.function(fn.written, self.number[node.args[0]])
        return self.sketch.append(node.renumbered(self.number))

    def slope(self, fn: Nonlinearity, order: int, argument: int) -> Maybe:
        """The derivative of a function of this order at a node."""
        return self.sketch.function(slope(fn, order), self.number[argument])


class Tangents(Meaning[Directions, Maybe]):
    """Derivatives of all nodes in some directions, each a vector of the input's numbers."""

    def __init__(self, values: Primal, seeds: Mapping[int, Tensor]) -> None:
        self.values, self.seeds = values, seeds
        self.network, self.sketch = values.network, values.sketch
        self.found: dict[tuple[int, Directions], Maybe] = {}

    def along(self, wanted: Sequence[Directions]) -> dict[Directions, Maybe]:
        """The derivatives of the output."""
        smaller = {
            tuple(sorted(one[k] for k in kept))
            for one in wanted
            for n in range(1, len(one) + 1)
            for kept in combinations(range(len(one)), n)
        }
        for directions in sorted(smaller, key=lambda one: (len(one), one)):
            for i in self.values.number:
                self.sketch.label = self.network.name(i)
                self.found[i, directions] = self.network.nodes[i].meet(self, i, directions)
        return {one: self.found[self.network.output, tuple(sorted(one))] for one in wanted}

    def at(self, i: int, directions: Directions) -> Maybe:
        """A derivative that was found already; no directions: the value."""
        return self.found[i, directions] if directions else self.values.number[i]

    def input(self, i: int, node: Input, x: Directions) -> Maybe:
        """The direction itself."""
        return self.sketch.constant(self.seeds[x[0]]) if len(x) == 1 and x[0] in self.seeds else None

    def affine(self, i: int, node: Affine, x: Directions) -> Maybe:
        """The same maps of the derivatives."""
        doubt = node.uncertainty
        terms = [(made, one) for s, one in node.terms if (made := self.at(s, x)) is not None]
        weights = [(made, one) for s, one in doubt.weights if (made := self.at(s, x)) is not None]
        return self.sketch.affine(terms, doubt.roundings, weights)

    def nonlinear(self, i: int, node: Nonlinear, x: Directions) -> Maybe:
        """The chain rule, or that of products."""
        if isinstance(node.fn, Product):
            first, second = node.args
            parts = [
                (self.sketch.product(self.at(first, a), self.at(second, b)), float(count))
                for a, b, count in product_rule(x)
            ]
            return self.sketch.total(parts)
        if isinstance(node.fn, Gate):
            parts = [
                (
                    self.sketch.product(
                        self.at(node.args[0], a), self._chained(i, node.fn.g, node.args[1], b)
                    ),
                    n,
                )
                for a, b, n in product_rule(x)
            ]
            return self.sketch.total([(made, float(n)) for made, n in parts])
        return self._chained(i, node.fn, node.args[0], x)

    def _chained(self, i: int, fn: Nonlinearity, argument: int, x: Directions) -> Maybe:
        """The derivative of fn(argument)."""
        if x and all(self.at(argument, (one,)) is None for one in x):
            return None
        refuse_jumps(fn, f"node '{self.network.name(i)}'")
        parts = []
        for blocks, count in chain_rule(x):
            inner: Maybe = None
            for k, block in enumerate(sorted(set(blocks))):
                power = self.sketch.power(self.at(argument, block), blocks.count(block))
                inner = power if k == 0 else self.sketch.product(inner, power)
            if inner is not None or not blocks:
                steep = self.values.slope(fn, len(blocks), argument)
                parts.append((self.sketch.product(steep, inner) if blocks else steep, float(count)))
        return self.sketch.total(parts)

    def grouped(self, i: int, node: Grouped, x: Directions) -> Maybe:
        """∂s = s·(∂a - Σ s·∂a) of a softmax s of a, and the derivatives of this by the rule of products."""
        rows, first, rest = softmax_rows(node, f"node '{self.network.name(i)}'"), x[0], x[1:]
        parts = []
        for own, inner, count in product_rule(rest):
            weighted = [
                (
                    self.sketch.product(self.at(i, a), self.at(node.args[0], tuple(sorted((first, *b))))),
                    float(n),
                )
                for a, b, n in product_rule(inner)
            ]
            moved = self.at(node.args[0], tuple(sorted((first, *inner))))
            mean = self.sketch.total(weighted)
            summed = None if mean is None else self.sketch.affine([(mean, rows)])
            centred = self.sketch.total([(moved, 1.0), (summed, -1.0)])
            parts.append((self.sketch.product(self.at(i, own), centred), float(count)))
        return self.sketch.total(parts)
