"""Random programs: functions whose bends nobody wrote down."""

from __future__ import annotations

import random

from genbab.nonlinear import Expression, make
from genbab.nonlinear.expressions.expression import X, apply, combine, multiply

_BLOCKS = ("tanh", "sigmoid", "sin", "relu", "exp", "softplus", "erf", "abs", "step", "silu", "gelu")


def drawn(seed: int) -> Expression:
    """A random program with two to five nonlinear steps, the same for the same seed."""
    choose = random.Random(seed)
    made = [X]
    least = choose.randint(2, 4)
    while made[-1].functions < least:
        kind = choose.random()
        if kind < 0.5:
            inner = combine(
                [(choose.choice(made[-2:]), choose.uniform(-2.0, 2.0))], choose.uniform(-1.0, 1.0)
            )
            made.append(apply(make(choose.choice(_BLOCKS)), inner))
        elif kind < 0.7:
            made.append(multiply(choose.choice(made), made[-1]))
        else:
            made.append(combine([(choose.choice(made), choose.uniform(-2.0, 2.0)), (made[-1], 1.0)]))
        if made[-1].affine is not None:
            made = [X]
    return made[-1]
