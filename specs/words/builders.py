"""Whole specifications for people, without a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genbab.errors import SpecError
from genbab.specs.form.spec import Spec
from genbab.specs.numbers.exact import exact_array
from genbab.specs.words.assemble import always
from genbab.specs.words.networks import Input, Network
from genbab.specs.words.regions import Clip, box, classified, l1, l2, linf
from genbab.specs.words.statements import Statement
from genbab.specs.words.terms import Terms

BALLS = {"inf": linf, "2": l2, "1": l1}
"""The regions around a centre, by the name of their norm."""


def robustness(
    x: ArrayLike,
    label: int,
    n_classes: int,
    epsilon: Any,
    clip: Clip = None,
    norm: str | float = "inf",
) -> Spec:
    """Unsafe: another class reaches at least the output of `label` somewhere in the ball around x.

    x has D numbers of any shape; epsilon is the radius ("8/255" is exact), for L-infinity also one per
    input; clip = (lowest, highest) input value; norm inf, 2 or 1. The real ball is inside the region. One
    clause of one row per other class, in order. Raises SpecError for numbers that are not finite, a
    negative radius, an impossible label, or an x that is outside clip by more than the radius.
    """
    centre = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, np.float64).reshape(-1)
    radius = exact_array(epsilon).reshape(-1)
    if radius.size not in (1, centre.size):
        raise SpecError(f"epsilon has {radius.size} values, expected 1 or {centre.size}")
    if not centre.size or any(r < 0 for r in radius):
        raise SpecError("x and epsilon must be finite numbers, at least one, epsilon not negative")
    if n_classes < 2 or not 0 <= label < n_classes:
        raise SpecError(f"label {label} of {n_classes} classes: expected 0 <= label < n_classes >= 2")
    variables = Input(centre.size)
    return always(
        classified(Network(n_classes)(variables), label), on=ball(variables, centre, epsilon, clip, norm)
    )


def ball(x: Terms, centre: Any, radius: Any, clip: Clip = None, norm: str | float = "inf") -> Statement:
    """`linf`, `l2` or `l1` by the name of the norm; raises SpecError for another norm, and as these."""
    name = f"{norm:g}" if isinstance(norm, int | float) else norm.lower().removeprefix("l")
    if name not in BALLS:
        raise SpecError(f"the norm {norm!r} is not one of {', '.join(BALLS)}")
    return BALLS[name](x, centre, radius, clip)


def monotone(  # noqa: PLR0913
    lower: ArrayLike,
    upper: ArrayLike,
    feature: int,
    outputs: int,
    output: int = 0,
    falling: bool = False,
    tolerance: Any = "0.001",
) -> Spec:
    """On the box, `output` of `outputs` falls (falling: rises) by less than `tolerance` when `feature` grows.

    lower, upper: D numbers each, of any shape. Two runs of the network that share all inputs but one:
    variable D is the other value of the feature. A tolerance of 0 can be refuted, also by rounding in
    float32, but not proved: equal values touch it. Raises SpecError for a feature or an output that is not
    there.
    """
    low, high = np.asarray(lower).reshape(-1), np.asarray(upper).reshape(-1)
    if low.shape != high.shape or not 0 <= feature < low.size or not 0 <= output < outputs:
        raise SpecError(f"feature {feature} of {low.size} inputs, output {output} of {outputs}: not there")
    f, x, larger = Network(outputs), Input(low.size), Input(1, name="larger")
    before, after = f(x), f(x.replaced([feature], larger))
    region = box(x, low, high) & box(larger, low[feature], high[feature]) & (x[feature] <= larger[0])
    one, other = (after, before) if falling else (before, after)
    return always(one[output] < other[output] + tolerance, on=region)
