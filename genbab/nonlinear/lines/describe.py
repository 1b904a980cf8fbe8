"""The facts of a function in words, for people."""

from __future__ import annotations

import math

from genbab.nonlinear.facts.record import Jump, Nonlinearity
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.nonlinear.lines.picture import FunctionRelaxation

CURVATURE = {1: "convex", -1: "concave", 0: "straight"}

Segment = tuple[float, float, str]
"""(low, high, "convex", "concave" or "straight")"""


def title(fn: Nonlinearity) -> str:
    """The function's name without the digest of a composed one."""
    return str(fn).partition(" #")[0]


def segments(fn: Nonlinearity) -> list[Segment]:
    """The segments, left to right; of one period, if the function is periodic."""
    indices = range(1, len(fn.curvature)) if fn.period else range(len(fn.curvature))
    return [(*fn.segment(i), CURVATURE[fn.curvature[i]]) for i in indices]


def curvature(fn: Nonlinearity, most: int = 8) -> str:
    """Where it is convex, concave or straight, in words.

    Such as "concave below -1.41421, convex up to 1.41421, concave above".
    """
    parts = segments(fn)
    kinds = {kind for _, _, kind in parts}
    if len(kinds) == 1 and not fn.breaks:
        return f"{kinds.pop()} everywhere"
    if fn.period:
        texts = [f"{kind} on [{number(low)}, {number(high)}]" for low, high, kind in parts]
        return ", ".join(texts) + f", and so on every {number(fn.period)}"
    texts = [f"{kind} up to {number(high)}" for _, high, kind in parts[:most]]
    texts[0] = texts[0].replace("up to", "below") if math.isinf(fn.domain[0]) else texts[0]
    if len(parts) > most:
        return ", ".join(texts) + f", and {len(parts) - most} more segments"
    texts[-1] = f"{parts[-1][2]} above" if math.isinf(fn.domain[1]) else texts[-1]
    return ", ".join(texts)


def domain(fn: Nonlinearity) -> str:
    """Where it is defined, or where its facts are certain."""
    low, high = fn.domain
    if (low, high) == (-math.inf, math.inf):
        return "all numbers"
    if math.isinf(high):
        text = f"x >= {number(low)}"
    elif math.isinf(low):
        text = f"x <= {number(high)}"
    else:
        text = f"{number(low)} <= x <= {number(high)}"
    return text + (" (beyond, its lines are the constants of a range)" if fn.enclose is not None else "")


def kinks(fn: Nonlinearity, most: int = 8) -> str:
    """Its kinks that are no jumps."""
    jumping = {end for low, high, _, _ in fn.jumps for end in (low, high)}
    return _listed([number(at) for at in fn.kinks if at not in jumping], fn, most)


def jumps(fn: Nonlinearity, most: int = 8) -> str:
    """Its jumps with their limits."""
    return _listed([jump(one) for one in fn.jumps], fn, most)


def jump(one: Jump) -> str:
    """ "at 0 from 0 to 1"; a pole has infinite limits."""
    low, high, left, right = one
    kind = "pole at" if math.isinf(left) or math.isinf(right) else "at"
    return f"{kind} {number(0.5 * low + 0.5 * high)} from {number(left)} to {number(right)}"


def _listed(texts: list[str], fn: Nonlinearity, most: int) -> str:
    if not texts:
        return "none"
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more + (f", and every {number(fn.period)}" if fn.period else "")


def solved(fn: Nonlinearity) -> str:
    """How the point of a given slope is found."""
    if not any(fn.curvature):
        return "straight pieces"
    return "table" if fn.stationary is None else "closed form"


def verdict(shown: FunctionRelaxation) -> str:
    """The area between the default lines beside the best possible, in words; or why there is none."""
    missing = [name for name, side in (("lower", shown.lower), ("upper", shown.upper)) if not side.finite]
    if missing:
        low, high = shown.fn.domain
        outside = (shown.l < low or shown.u > high) and shown.fn.enclose is None
        known = "the function is unbounded" if math.isinf(shown.least_area) else "none is certain"
        why = f"it is defined for {domain(shown.fn)}" if outside else known
        return f"no {' and no '.join(missing)} line: {why}"
    if math.isinf(shown.area):
        return "the area between the lines is too large for a number"
    if shown.excess < 5e-5:
        return f"area between the lines {number(shown.area)}, the best possible"
    return (
        f"area between the lines {number(shown.area)}, best possible {number(shown.least_area)} "
        f"(+{100.0 * shown.excess:.2g} %)"
    )


def operators(name: str) -> list[str]:
    """The ONNX operators that are this function of the library: "LeakyRelu(alpha=0.01)"."""
    found = []
    for (space, kind), (function, operator) in OPERATORS.items():
        if function == name:
            attributes = ", ".join(f"{a}={default:g}" for a, default in operator.attributes)
            found.append((f"{space}::" if space else "") + kind + (f"({attributes})" if attributes else ""))
    return found


def number(value: float) -> str:
    """Six digits, and no minus before a zero."""
    return f"{value + 0.0:.6g}"
