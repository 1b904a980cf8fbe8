"""The ways in which float32 may be computed: orders of sums, fused products, subnormals, edges of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Allowed = Callable[[str, Array], tuple[Array | float, Array | float]]
"""Name of a function and its argument, float32, to the allowed (absolute, relative) error."""

ORDERS = (
    "forward",
    "reversed",
    "pairs",
    "halves",
    "lanes",
    "blocks",
    "random",
    "random tree",
    "descending size",
    "ascending size",
    "positive first",
    "negative first",
    "varied",
)
"""Orders and groupings of the terms of a sum; those by size or sign go by the terms' values at each point.

"varied" is another one of them for each sum of the graph.
"""

GREEDY = ("greedy up", "greedy down", "greedy mixed")
"""Orders that take next the term whose addition is rounded furthest up (down, or either way by entry)."""

STEERED = "steered"
"""The order, and the edge, that goes for errors of the signs that the style has for each tensor."""

EDGES = ("nearest", "up", "down", "random", "within")
"""Where in its allowed error a function's result lies: "random" is up or down by entry, "within" anywhere."""

BEYOND = ("moments", "folded", "contracted")
"""What a runtime may do besides.

moments: the variance in norms is the mean of squares minus the square of the mean, as ONNX itself defines
LayerNormalization. folded: LayerNormalization multiplies by the reciprocal deviation before it subtracts the
mean, as torch does. contracted: an Add takes the product or the sum of products that is its argument into one
operation (Mul and Add become a fused multiply-add, MatMul and Add one sum).
"""

SINGLE = frozenset("Sigmoid Softplus Elu Gelu Mish Pow Sqrt Reciprocal".split())
"""Operators that may be one function with an error of its own, or steps of rounded arithmetic."""

WHOLE = frozenset(("Sigmoid", "Softplus", "Elu"))
"""Those that are one function by default."""

BOUNDED = {"Tanh", "Sigmoid", "Erf", "Sin", "Cos", "Log", "Softplus", "Elu", "Gelu", "Gelu tanh", "Mish"}


def usual(name: str, x: Array) -> tuple[float, float]:
    """Four units of the last place, and for some functions as many of the number 1."""
    del x
    return (2.0**-22 if name.partition("(")[0] in BOUNDED else 0.0), 2.0**-21


@dataclass(frozen=True)
class Style:
    """One way of computing.

    variant: which of the legal ways of computing an operator of several steps. flush: subnormal inputs and
    results of every operation count as zero. allowed: the errors of functions, at whose `edges` they are.
    ranges: functions stay within their range (Tanh in [-1, 1]) whatever error is allowed. beyond: what a
    runtime may do besides, of `BEYOND`. whole: operators of `SINGLE` that are one function with an error; the
    others of them are computed step by step.
    """

    order: str = "forward"
    fma: bool = False
    flush: bool = False
    edges: str = "nearest"
    variant: int = 0
    seed: int = 0
    allowed: Allowed = field(default=usual, repr=False, compare=False)
    ranges: bool = True
    beyond: frozenset[str] = frozenset()
    whole: frozenset[str] = WHOLE
    signs: Mapping[str, Array] = field(default_factory=dict, repr=False, compare=False)
    """Tensor to the signs of the errors of its entries, for what is steered."""

    def __post_init__(self) -> None:
        """Refuse names that are not known."""
        for what, name, known in (("order", self.order, ORDERS + GREEDY), ("edges", self.edges, EDGES)):
            if name not in (*known, STEERED):
                raise ValueError(f"{what}: {name!r} is none of {', '.join(known)}, {STEERED}")
        for what, names, all_ in (("beyond", self.beyond, BEYOND), ("whole", self.whole, SINGLE)):
            if unknown := names - set(all_):
                raise ValueError(f"{what}: {', '.join(sorted(unknown))} is none of {', '.join(sorted(all_))}")

    def plain(self) -> dict[str, Any]:
        """The style as JSON has it, but for what is allowed."""
        names = ("order", "fma", "flush", "edges", "variant", "seed", "ranges")
        sets = {"beyond": sorted(self.beyond), "whole": sorted(self.whole)}
        signs = {name: values.reshape(-1).tolist() for name, values in self.signs.items()}
        return {name: getattr(self, name) for name in names} | sets | ({"signs": signs} if signs else {})


def restored(plain: Mapping[str, Any], allowed: Allowed = usual) -> Style:
    """The style that `Style.plain` wrote."""
    sets = {name: frozenset(plain[name]) for name in ("beyond", "whole")}
    signs = {name: np.array(values) for name, values in plain.get("signs", {}).items()}
    return Style(**{**plain, **sets, "signs": signs}, allowed=allowed)


def styles(seed: int, count: int = 26, like: Style | None = None) -> list[Style]:
    """Varied styles: the first is the plainest, and every thirteen have all orders, the rest is mixed.

    About half of them are fused, and about half flushed, in all four combinations; all edges are there.
    like: what is allowed and whole, and the ranges, are its; what it has `beyond`, every other style does.
    """
    random = Random(seed)
    like = like or Style()
    found = [replace(like, beyond=frozenset(), seed=seed)]
    while len(found) < count:
        switches = [(fma, flush) for fma in (False, True) for flush in (False, True)]
        mixed = [_shuffled(part, random) for part in (ORDERS, switches, EDGES)]
        for k, order in enumerate(mixed[0]):
            fma, flush = mixed[1][k % 4]
            found.append(
                replace(
                    like,
                    order=order,
                    fma=fma,
                    flush=flush,
                    edges=mixed[2][k % len(EDGES)],
                    variant=random.randrange(60),
                    seed=random.randrange(2**31),
                    beyond=like.beyond if k % 2 else frozenset(),
                )
            )
    return found[:count]


def _shuffled(values: Sequence[Any], random: Random) -> list[Any]:
    return random.sample(values, len(values))
