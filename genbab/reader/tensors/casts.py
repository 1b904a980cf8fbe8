"""Conversions between the types of tensors: exact, wrapped, truncated, rounded or refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from genbab.network import Diagonal, Identity
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import Nonlinearity
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import apply, combine, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import Refused, Var

STAIRS = frozenset({"floor", "ceil", "round", "sign", "step", "positive"})
"""Functions whose values are whole numbers."""

LIMITERS = frozenset({"relu", "abs", "clip", "at_least", "at_most", "within"})
"""Functions that make whole numbers of whole numbers, if their parameters are whole."""

ROUNDED = {
    elements.FLOAT: (2.0**-24, 2.0**-149, float(np.finfo(np.float32).max)),
    elements.DOUBLE: (2.0**-53, 2.0**-1073, float(np.finfo(np.float64).max)),
    elements.FLOAT16: (2.0**-11, 2.0**-24, 65504.0),
    elements.BFLOAT16: (2.0**-8, 2.0**-133, 255 * 2.0**120),
}
"""Type -> what rounding to it moves a number by: relative, absolute; its largest number."""

HELD = (
    *(elements.of_dtype(t) for t in (np.int8, np.uint8, np.float16)),
    *(elements.FLOAT, elements.INT32, elements.DOUBLE),
)


def cast(b: Builder, x: Var, target: int) -> Var:
    """The tensor in another type, as ONNX converts it; `Refused` where that is undefined or rounds."""
    if target == x.element:
        return x
    if target == elements.BOOL:
        return unequal_to_zero(b, x)
    if elements.is_integer(target):
        return _to_integer(b, x, target)
    if target in ROUNDED:
        return _to_float(b, x, target)
    raise Refused(f"a conversion to {elements.named(target)}, which rounds")


def _to_float(b: Builder, x: Var, target: int) -> Var:
    held = x.exact or x.element
    if x.whole:
        b.integral.add(x.node)
        if not elements.holds(target, held):
            low, high = span(b, x)
            held = next((t for t in HELD if elements.holds_whole(t, low, high)), held)
    kept = b.computed and target in elements.SHORT and not x.whole and held in elements.DIGITS
    if elements.holds(target, held) and not kept:
        return replace(x, element=target, exact=held)
    return narrowed(b, x, target)


def narrowed(b: Builder, x: Var, target: int) -> Var:
    """The tensor rounded to nearest in a type of float, as a number near it; undefined beyond its range.

    Rounding moves a number by at most half of a unit in its last place, or of the least number of the type.
    Where the network is one that a program computes, the rounding is accounted for elsewhere.
    """
    unit, least, most = ROUNDED[target]
    low, high = span(b, x)
    if low < -most or most < high:
        x = replace(x, node=b.nonlinear(function("within", -most, most), x).node)
    if b.computed:
        return replace(b.affine(x.shape, [(x.node, Identity(x.size))]), element=target)
    error = Diagonal(torch.full((x.size,), unit, dtype=torch.float64))
    uncertainty = Uncertainty(0, torch.full((x.size,), least, dtype=torch.float64), ((x.node, error),))
    made = b.affine(x.shape, [(x.node, Identity(x.size))], None, uncertainty)
    b.near.add(made.node)
    return replace(made, element=target)


def apart(b: Builder, x: Var) -> Var:
    """The tensor as one of its readers takes it: rounded to its short type, or as it was computed.

    The tensor itself where that makes no difference.
    """
    if x.element not in elements.SHORT or x.node in b.truths or not x.size:
        return x
    made = b.affine(x.shape, [(x.node, Identity(x.size))])
    b.copies[made.node] = x.element
    return replace(x, node=made.node)


def _to_integer(b: Builder, x: Var, target: int) -> Var:
    ends = elements.limits(target)
    assert ends is not None
    if x.boolean:
        b.integral.add(x.node)
        return replace(x, element=target, exact=0)
    if not x.whole:
        return _truncated(b, x, target, ends)
    low, high = span(b, x)
    if ends[0] <= low and high <= ends[1]:
        return replace(x, element=target)
    return wrapped(b, replace(x, element=target, exact=0))


def wrapped(b: Builder, x: Var) -> Var:
    """Integers that may leave their type as it keeps them: less the multiple of 2^bits that brings them back.

    floor((x + 1/2 - least) / 2^bits) of a whole number x is never at a jump.
    """
    ends = elements.limits(x.element)
    assert ends is not None
    turn = float(ends[1] - ends[0] + 1)
    moved = combine(b, [(x, 1.0 / turn), (np.array((0.5 - ends[0]) / turn), 1.0)])
    made = combine(b, [(x, 1.0), (scale(b, apply(b, "floor", moved), turn), -1.0)])
    assert isinstance(made, Var)
    b.known[made.node] = float(ends[0]), float(ends[1])
    return replace(made, element=x.element, exact=0)


def _truncated(b: Builder, x: Var, target: int, ends: tuple[int, int]) -> Var:
    """The whole part of x, a number of x's type as well.

    Undefined where it is no number of the target (ONNX leaves it open). Of types of 64 bits, what is larger
    than 2^40 counts as undefined, too.
    """
    least, most = (float(max(min(end, elements.TRUNCATED), -elements.TRUNCATED)) for end in ends)
    low, high = span(b, x)
    made = x if is_integral(b, x.node) else _whole_part(b, x, low, high)
    if not (least - 1.0 < low and high < most + 1.0):
        made = b.nonlinear(function("within", least - 0.5, most + 0.5), made)
        low, high = max(low, least), min(high, most)
    if made.node != x.node:
        b.known[made.node] = float(math.trunc(low)), float(math.trunc(high))
    b.integral.add(made.node)
    return replace(made, shape=x.shape, element=target, exact=x.exact or x.element)


def _whole_part(b: Builder, x: Var, low: float, high: float) -> Var:
    """x without what follows the point: floor(max(x, 1/2)) - floor(max(-x, 1/2)), without a jump at 0.

    low and high are what is known of x.
    """
    signs = [s for s, none in ((1.0, high < 1.0), (-1.0, low > -1.0)) if not none] or [1.0]
    halves = [apply(b, "floor", apply(b, "at_least", scale(b, x, s), 0.5)) for s in signs]
    made = combine(b, list(zip(halves, signs, strict=True)))
    assert isinstance(made, Var)
    return made


def is_integral(b: Builder, node: int) -> bool:
    """Whether a node is known to hold whole numbers: by its function, or as tensors of an integer type."""
    if node in b.integral or node in b.truths:
        return True
    made = b.elementwise.get(node)
    if made is None or not isinstance(made.fn, Nonlinearity):
        return False
    if made.fn.name in STAIRS:
        return True
    whole = all(float(p).is_integer() for p in made.fn.params) or made.fn.name == "within"
    return made.fn.name in LIMITERS and whole and is_integral(b, made.args[0])


def unequal_to_zero(b: Builder, x: Var) -> Var:
    """1 where x is not 0, else 0; of whole numbers by steps at halves, where rounding does no harm."""
    if x.boolean:
        return x
    half = 0.5 if x.whole or is_integral(b, x.node) else 0.0
    sides = [apply(b, "step", combine(b, [(x, s), (np.array(half), 1.0)])) for s in (1.0, -1.0)]
    made = combine(b, [(sides[0], -1.0), (sides[1], -1.0), (np.array(2.0), 1.0)])
    assert isinstance(made, Var)
    b.truths.add(made.node)
    return replace(made, shape=x.shape, element=elements.BOOL)
