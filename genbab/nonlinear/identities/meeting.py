"""Whether the pieces that steps put together meet: decided in rational numbers."""

from __future__ import annotations

from fractions import Fraction

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply, Argument, Multiply
from genbab.nonlinear.facts.real import exact
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.identities.switches import STEPS, events_of, thresholds_known, with_steps

_ZERO = dict.fromkeys(
    "asin asinh atan atanh celu elu erf gelu gelu_tanh mish selu silu sin sinh softsign tan tanh".split(), 0
)
AT_ZERO: dict[str, int | Fraction] = {**_ZERO, "cos": 1, "cosh": 1, "exp": 1, "sigmoid": Fraction(1, 2)}
"""Values at 0 that are rational."""


def meeting(expression: Expression) -> bool:
    """Whether neighbouring pieces are known to have the same value at every threshold.

    Then the function jumps nowhere: its other parts are taken to be continuous.
    """
    if not thresholds_known(expression):
        return False
    steps = {n for n, s in enumerate(expression.steps) if isinstance(s, Apply) and s.fn.name in STEPS}
    events = sorted(events_of(expression), key=lambda e: (e.place, not e.closed))
    if not events or {event.step for event in events} != steps:
        return False
    state = {event.step: 1.0 - event.value for event in reversed(events)}
    try:
        before = with_steps(expression, state)
        for k, event in enumerate(events):
            state[event.step] = event.value
            if k + 1 < len(events) and (events[k + 1].place, events[k + 1].closed) == (
                event.place,
                event.closed,
            ):
                continue
            after = with_steps(expression, state)
            left, right = _value(before, event.place), _value(after, event.place)
            if before != after and (left is None or left != right):
                return False
            before = after
    except UsageError:
        return False
    return True


def _value(expression: Expression, x: Fraction) -> Fraction | None:
    """The value at x, where it is known to be a rational number."""
    known: list[Fraction | None] = []
    for step in expression.steps:
        if isinstance(step, Argument):
            known.append(x)
        elif isinstance(step, Apply):
            inner = known[step.a]
            known.append(None if inner is None else _applied(step.fn, inner))
        elif isinstance(step, Multiply):
            a, b = known[step.a], known[step.b]
            known.append(Fraction(0) if a == 0 or b == 0 else None if a is None or b is None else a * b)
        else:
            parts = [(known[source], w) for source, w in step.terms]
            if not exact(step.shift, *(w for _, w in parts)) or any(v is None for v, _ in parts):
                known.append(None)
                continue
            total = Fraction(step.shift)
            for v, w in parts:
                assert v is not None
                total += v * Fraction(w)
            known.append(total)
    return known[-1]


def _applied(fn: Nonlinearity, x: Fraction) -> Fraction | None:
    if fn.name == "power" and fn.params[0].is_integer() and fn.params[0] > 0:
        return x ** int(fn.params[0])
    if fn.name in ("relu", "abs"):
        return max(x, Fraction(0)) if fn.name == "relu" else abs(x)
    return Fraction(AT_ZERO[fn.name]) if x == 0 and fn.name in AT_ZERO else None
