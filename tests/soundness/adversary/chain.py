"""Random affine chains whose exact value at one point is known while they are written."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import ModelProto

from .interpreter import Array, as_tensor, mapped, run, step
from .numbers import EXACT, MASSES, Mass, Undecided
from .writing import Graph

BITS = 150
"""Numerators and denominators of values at the point have no more bits than about this."""


def odd_part(value: float) -> int:
    """The odd factor of the numerator of a float."""
    whole = abs(Fraction(value).numerator)
    return whole // (whole & -whole)


def row(values: Any) -> Array:
    """A float or list of rational numbers as an array of them."""
    return mapped(Fraction, np.asarray(values, dtype=object))


class Chain:
    """A graph that grows from `name`; `known` are the values of all its tensors at the point x (D,).

    The point lies on a grid of 1/64, so that few bits are needed; every rule below keeps the values at the
    point dyadic, whatever is divided by: constants are added that make them multiples first.
    """

    def __init__(self, seed: int, dtype: Any, largest: float, x: Any = None) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph(dtype)
        self.largest = largest
        self.x = self.random.integers(-256, 257, int(self.random.integers(1, 4))) / 64 if x is None else x
        self.name = self.graph.input("x", 1, self.x.size)
        self.known: dict[str, Array] = {"x": row(self.x[None])}

    @property
    def value(self) -> Array:
        """The values at the point of the tensor that the chain ends in."""
        return self.known[self.name]

    def draw(self, *choices: Any) -> Any:
        """One of these."""
        return choices[int(self.random.integers(len(choices)))]

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A new constant, rounded to the graph's type."""
        name = self.graph.constant(value, dtype)
        array = np.asarray(value, dtype=self.graph.dtype if dtype is None else dtype)
        self.known[name] = as_tensor(array, EXACT)
        return name

    def integers(self, *values: int) -> str:
        """A new vector of integers."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A new node, the chain goes on from its (first) output."""
        self.name = self.graph.op(kind, *inputs, **attributes)
        node = self.graph.nodes[-1]
        self.known |= zip(node.output, step(node, [self.known[n] for n in node.input], EXACT), strict=False)
        return self.name

    def magnitude(self) -> float:
        """A random scale between 1/8 and the largest constant."""
        return float(np.exp(self.random.uniform(np.log(0.125), np.log(self.largest))))

    def plain(self, scale: float, *shape: int) -> Any:
        """Random numbers of the graph's type: of few bits or of all, as floats."""
        drawn = self.random.normal(size=shape) * scale
        if self.random.random() < 0.5:
            unit = 2.0 ** np.round(np.log2(scale) - 5)
            drawn = np.round(drawn / unit) * unit
        return drawn.astype(self.graph.dtype).astype(np.float64)

    def shift(self, by: Array) -> None:
        """Add dyadic numbers exactly, in as many constants as that takes."""
        while any(v != 0 for v in by.flat):
            with np.errstate(over="ignore"):
                piece = by.astype(np.float64).astype(self.graph.dtype)
            if not (np.isfinite(piece).all() and piece.any()):
                raise Undecided("no constants of this type add up to this")
            if self.random.random() < 0.5:
                self.op("Add", *self._either(self.name, self.constant(piece)))
            else:
                self.op("Sub", self.name, self.constant(-piece))
            by = by - row(piece.astype(np.float64))

    def _either(self, a: str, b: str) -> tuple[str, str]:
        return (a, b) if self.random.random() < 0.5 else (b, a)

    def to_multiples(self, of: int, sums: int = 1) -> None:
        """Add constants, large ones too, that make the values at the point multiples of an odd number.

        sums: only the sums over the last axis need be, if it is larger than 1.
        """
        value = self.value.sum(-1, keepdims=True) if sums > 1 else self.value
        unit = max(int(v.denominator) for v in value.flat)
        by = mapped(lambda v: Fraction(int(-v * unit) % of, unit), value)
        by = by + row(self.random.integers(-3, 4, by.shape)) * round(self.magnitude()) * of
        if sums > 1:
            by = np.concatenate([by, row(np.zeros((*by.shape[:-1], self.value.shape[-1] - 1)))], -1)
        self.shift(by)

    def grow(self, count: int, rules: tuple[Callable[[Chain], None], ...]) -> None:
        """Apply this many random rules, fewer where numbers grow too long."""
        for _ in range(count):
            rules[int(self.random.integers(len(rules)))](self)
            if max(v.numerator.bit_length() + v.denominator.bit_length() for v in self.value.flat) > BITS:
                return

    def at(self, x: Any, *names: str) -> list[Array]:
        """The exact values of tensors at another point."""
        found = run(self.model(names[0]).graph, {"x": row(np.asarray(x)[None])}, EXACT)
        return [found[n] for n in names]

    def masses(self, size: Any, name: str) -> Array:
        """Σ |terms| of a tensor where |x| <= size (D,)."""
        known = run(
            self.model(name).graph, {"x": mapped(lambda v: Mass(float(v)), np.asarray(size)[None])}, MASSES
        )
        return mapped(lambda m: m.size, known[name]).astype(np.float64)

    def model(self, *outputs: str) -> ModelProto:
        """The graph up to these outputs."""
        return self.graph.model(outputs)


def offset(c: Chain) -> None:
    """Add or subtract a constant, of the same for all entries or one each."""
    shape = c.value.shape if c.random.random() < 0.5 else ()
    name = c.constant(c.plain(c.magnitude(), *shape))
    if c.random.random() < 0.5:
        c.op("Add", c.name, name)
    else:
        c.op("Sub", *c._either(c.name, name))


def cancelled(c: Chain) -> None:
    """Add a large constant and, after what cannot be merged away at sight, subtract it again."""
    scale = c.magnitude()
    far = row(c.plain(scale, *c.value.shape))
    c.shift(far)
    if c.random.random() < 0.5:
        c.op("Neg", c.name)
        far = -far
    c.shift(-far + row(c.plain(1.0, *far.shape)))


def scaled(c: Chain) -> None:
    """Multiply by a constant."""
    shape = c.value.shape if c.random.random() < 0.3 else ()
    factor = c.plain(c.draw(0.1, 1.0, 1.0, 30.0), *shape)
    c.op("Mul", *c._either(c.name, c.constant(np.where(factor == 0, 1.0, factor))))


def divided(c: Chain) -> None:
    """Divide by a constant that has no exact reciprocal."""
    by = float(c.graph.dtype.type(c.draw(3.0, 7.0, 9.0, 10.0, 49.0, 0.1, 0.3, 1.1, -6.0, 255.0)))
    c.to_multiples(odd_part(by))
    c.op("Div", c.name, c.constant(by))


def normalised(c: Chain) -> None:
    """Batch normalisation by a deviation that is rational: r² = variance + epsilon."""
    size = c.value.shape[1]
    r = int(c.draw(3, 5, 7, 9, 11, 2))
    c.to_multiples(r)
    mean = np.round(c.plain(min(c.magnitude(), 1e4), size)) * r
    epsilon = 2.0**-10
    arrays = c.plain(1.0, size), c.plain(3.0, size), mean, np.full(size, r * r - epsilon)
    c.op("BatchNormalization", c.name, *map(c.constant, arrays), epsilon=epsilon)


def dense(c: Chain) -> None:
    """A fully connected layer, as Gemm or as MatMul and Add."""
    size, made = c.value.shape[1], int(c.random.integers(1, 4))
    weight, bias = c.plain(1.0, size, made), c.constant(c.plain(c.magnitude(), made))
    if c.value.ndim == 2 and c.random.random() < 0.5:
        c.op("Gemm", c.name, c.constant(weight.T), bias, transB=1, alpha=c.draw(1.0, 0.5, 3.0))
    else:
        c.op("Add", c.op("MatMul", c.name, c.constant(weight)), bias)


def convolved(c: Chain) -> None:
    """A convolution of size 1 on an image of one channel per entry, put back into a row (float32 only)."""
    if c.graph.dtype != np.float32:  # onnxruntime lacks it
        return dense(c)
    size, made = c.value.shape[1], int(c.random.integers(1, 4))
    c.op("Reshape", c.name, c.integers(1, size, 1, 1))
    c.op("Conv", c.name, c.constant(c.plain(1.0, made, size, 1, 1)), c.constant(c.plain(c.magnitude(), made)))
    if c.random.random() < 0.5:
        normalised(c)
    c.op("Flatten", c.name, axis=1)


def moved(c: Chain) -> None:
    """Numbers moved: reversed, doubled, taken, negated, reshaped."""
    size = c.value.shape[1]
    how = c.draw("slice", "concat", "gather", "neg", "reshape")
    if how == "slice":
        c.op("Slice", c.name, *[c.integers(v) for v in (-1, -size - 1, 1, -1)])
    elif how == "concat" and size < 3:
        c.op("Concat", c.name, c.op("Neg", c.name), axis=1)
    elif how == "gather":
        c.op("Gather", c.name, c.integers(*c.random.integers(0, size, size).tolist()), axis=1)
    elif how == "reshape":
        c.op("Transpose", c.op("Reshape", c.name, c.integers(size, 1)), perm=[1, 0])
    else:
        c.op("Neg", c.name)


def averaged(c: Chain) -> None:
    """The mean or the sum of the entries, alone or taken off every entry."""
    before, size = c.name, c.value.shape[1]
    kind = c.draw("ReduceMean", "ReduceSum")
    if kind == "ReduceMean":
        c.to_multiples(odd_part(float(size)), size)
        before = c.name
    c.op(kind, c.name, c.integers(1), keepdims=1)
    if c.random.random() < 0.6:
        c.op("Sub", before, c.name)


def joined(c: Chain) -> None:
    """A multiple of an earlier tensor of the same shape is added: what depends on x cancels, too."""
    same = [n for n, v in c.known.items() if v.shape == c.value.shape and (n == "x" or n.startswith("t"))]
    now, other = c.name, same[int(c.random.integers(len(same)))]
    factor = c.plain(c.magnitude())
    far = c.op("Mul", other, c.constant(factor))
    if c.random.random() < 0.4:
        now = c.op("Add", now, far)
        back = c.constant(factor + c.draw(0.0, 1.0, float(c.plain(1.0))))
        c.op("Sub", now, c.op("Mul", other, back))
    else:
        c.op(c.draw("Add", "Sub", "Sum"), now, far)


def folded(c: Chain) -> None:
    """Constants are computed from constants: a quotient to multiply with, a product to add."""
    over, under = (int(v) for v in c.random.integers(1, 60, 2))
    if c.random.random() < 0.6:
        c.to_multiples(odd_part(float(under)))
        quotient = c.graph.op("Div", c.constant(float(over)), c.constant(float(under)))
        c.known[quotient] = row(Fraction(over, under))
        c.op("Mul", c.name, quotient)
    else:
        before = c.name
        product = c.op("Mul", c.constant(c.plain(c.magnitude())), c.constant(c.plain(1.0)))
        c.op("Add", before, product)


AFFINE = (offset, cancelled, scaled, divided, normalised, dense, convolved, moved, averaged, joined)
FOLDED = (*AFFINE, folded, folded, folded, folded)
