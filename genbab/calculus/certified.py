"""Certified answers about derivatives: `maximum`, `lipschitz`, `monotonicity`, `lyapunov_decrease`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Unpack

import torch
from torch import Tensor

from genbab.calculus.derivatives import chosen, derivative
from genbab.calculus.formulas import FormulaTree, formulas, has_derivatives
from genbab.calculus.maximise import Goal, Maxima, maxima
from genbab.calculus.norms import norm_of_jacobian
from genbab.calculus.options import BoxQuestion, SearchOptions
from genbab.calculus.results import (
    CertifiedMaximum,
    Decrease,
    DerivativeRange,
    EnclosureStatus,
    Monotonicity,
    Trend,
)
from genbab.errors import UsageError
from genbab.network.roundoff import Interval
from genbab.reader.derive.kinks import off_kinks
from genbab.system.device import usual_torch


def maximum(
    model: Any, formula: str, lower: Any, upper: Any, **options: Unpack[SearchOptions]
) -> CertifiedMaximum:
    """The largest value of a formula on the box lower <= x <= upper.

    formula: as `genbab.formulas` reads it, such as "d(y0, x0)", or "abs(...)" around the residual of a
    differential equation. options: tolerance, timeout, example, as `SearchOptions` says. Raises `UsageError`,
    and as `formulas`.
    """
    asked, started = BoxQuestion.of(model, lower, upper, options), time.monotonic()
    made, slopes = formulas(asked.model, formula), has_derivatives(asked.model, formula)
    with usual_torch():
        wanted = Goal(torch.zeros(1).long(), torch.ones(1).double(), asked.tolerance)
        usable = [off_kinks(made.network)] if slopes else []
        found = maxima(made, asked.box, wanted, asked.deadline, *usable)
    return _largest(found, started)


def lipschitz(
    model: Any,
    lower: Any,
    upper: Any,
    norm: float | str = math.inf,
    outputs: Sequence[int] | None = None,
    **options: Unpack[SearchOptions],
) -> CertifiedMaximum:
    """The Lipschitz constant of the outputs (None: all) on the box lower <= x <= upper, by this norm.

    norm: inf, 2 or 1, for inputs and outputs: |y(x) - y(x')| <= upper·|x - x'|, over the reals, for all x, x'
    of the box. It is the largest norm of the Jacobian; by norm 2, of several outputs and several inputs,
    `upper` is that of the Frobenius norm, which may be larger, and the status is "frobenius". Kinks do no
    harm (docs/derivatives.md). options: as for `maximum`. Raises `UsageError`, and as `derivative`.
    """
    if norm not in (1, 2, math.inf, "inf"):
        raise UsageError(f"norm = {norm!r}: must be inf, 2 or 1")
    asked, started = BoxQuestion.of(model, lower, upper, options), time.monotonic()
    ys = chosen(outputs, asked.model.network.output_size, "outputs")
    with usual_torch():
        made, rows, value = norm_of_jacobian(asked.model, ys, float(norm))
        wanted = Goal(torch.arange(rows), torch.ones(rows).double(), asked.tolerance)
        found = maxima(made, asked.box, wanted, asked.deadline, off_kinks(made.network))
    return value(_largest(found, started))


def jacobian_range(
    model: Any,
    lower: Any,
    upper: Any,
    outputs: Sequence[int] | None = None,
    inputs: Sequence[int] | None = None,
    **options: Unpack[SearchOptions],
) -> list[DerivativeRange]:
    """The ranges of these entries of the Jacobian (None: all) on the box lower <= x <= upper.

    options: as for `maximum`; the tolerance is relative to how far the seen ends are apart. Raises
    `UsageError`, and as `derivative`.
    """
    asked = BoxQuestion.of(model, lower, upper, options)
    found, pairs = _both_ends(asked, outputs, inputs, paired=True)
    return [_range(found, k, len(pairs), *pair) for k, pair in enumerate(pairs)]


def monotonicity(
    model: Any,
    lower: Any,
    upper: Any,
    outputs: Sequence[int] | None = None,
    inputs: Sequence[int] | None = None,
    **options: Unpack[SearchOptions],
) -> list[Monotonicity]:
    """How each of these outputs moves with each of these inputs (None: all) on the box lower <= x <= upper.

    By the sign of the derivative, which is bounded until it is certain everywhere, or until both signs were
    seen, or until the time is up. options: as for `maximum`. Raises `UsageError`, and as `derivative`.
    """
    asked = BoxQuestion.of(model, lower, upper, options)
    found, pairs = _both_ends(asked, outputs, inputs, enough=5e-324)
    return [_trend(found, k, len(pairs), *pair) for k, pair in enumerate(pairs)]


def lyapunov_decrease(
    model: Any,
    dynamics: Sequence[str],
    lower: Any,
    upper: Any,
    radius: float = 0.0,
    **options: Unpack[SearchOptions],
) -> Decrease:
    """Whether dV/dt = ∇V(x)·f(x) < 0 on the box, but for points nearer than `radius` to the origin.

    V is the model's first output; dynamics: dx_i/dt for every input, as formulas in x0, x1, ... and, for
    dynamics with networks in them, in further outputs y1, y2, ... of the model. options: as for `maximum`.
    Raises `UsageError`, and as `formulas`.
    """
    asked, started = BoxQuestion.of(model, lower, upper, options), time.monotonic()
    size = asked.model.network.input_size
    fields = _fields(dynamics, size, asked.model.network.output_size)
    if not isinstance(radius, int | float) or not 0.0 <= radius < math.inf:
        raise UsageError(f"radius = {radius!r}: must be a number from 0 on")
    made = formulas(asked.model, " + ".join(f"d(y0, x{i})*({text})" for i, text in enumerate(fields)))
    with usual_torch():
        around = _without_middle(asked.box, radius / math.sqrt(size) * (1 - 1e-12))
        wanted = Goal(torch.zeros(1).long(), torch.ones(1).double(), asked.tolerance, enough=0.0)
        found = maxima(made, around, wanted, asked.deadline, off_kinks(made.network))
    top, seen = float(found.certified[0]), float(found.seen[0])
    return Decrease(top < 0.0, seen >= 0.0, seen, top, found.at[0], time.monotonic() - started)


def _fields(dynamics: Any, inputs: int, outputs: int) -> list[str]:
    """The formulas of the dynamics, each of them a formula by itself."""
    if not isinstance(dynamics, list | tuple) or not all(isinstance(text, str) for text in dynamics):
        raise UsageError(f"dynamics = {dynamics!r}: expected a list of {inputs} formulas, one for each input")
    if len(dynamics) != inputs:
        raise UsageError(f"dynamics: expected {inputs} formulas, one for each input, found {len(dynamics)}")
    return [FormulaTree(text, inputs, outputs).text for text in dynamics]


def _largest(found: Maxima, started: float) -> CertifiedMaximum:
    """The largest of all rows."""
    top, best = float(found.certified.max()), int(found.seen.argmax())
    status = EnclosureStatus.ENCLOSED if found.done else EnclosureStatus.TIMEOUT
    seconds = time.monotonic() - started
    return CertifiedMaximum(float(found.seen[best]), top, found.at[best], status, seconds, found.boxes)


def _both_ends(
    asked: BoxQuestion, outputs: Sequence[int] | None, inputs: Sequence[int] | None, **goal: Any
) -> tuple[Maxima, list[tuple[int, int]]]:
    """The largest, then the least values (negated) of the derivatives of these pairs of output and input.

    goal: what else `Goal` takes.
    """
    ys = chosen(outputs, asked.model.network.output_size, "outputs")
    xs = chosen(inputs, asked.model.network.input_size, "inputs")
    made = derivative(asked.model, outputs=ys, inputs=xs)
    count = len(ys) * len(xs)
    numbers, signs = torch.arange(count).repeat(2), torch.tensor([1.0] * count + [-1.0] * count).double()
    with usual_torch():
        wanted = Goal(numbers, signs, asked.tolerance, **goal)
        found = maxima(made, asked.box, wanted, asked.deadline, off_kinks(made.network))
    return found, [(y, x) for y in ys for x in xs]


def _range(found: Maxima, k: int, count: int, y: int, x: int) -> DerivativeRange:
    ends = -float(found.certified[k + count]), -float(found.seen[k + count])
    return DerivativeRange(
        y, x, *ends, float(found.seen[k]), float(found.certified[k]), found.at[k + count], found.at[k]
    )


def _trend(found: Maxima, k: int, count: int, y: int, x: int) -> Monotonicity:
    upper, lower = float(found.certified[k]), -float(found.certified[k + count])
    rises = found.at[k] if found.seen[k] > 0 else None
    falls = found.at[k + count] if found.seen[k + count] > 0 else None
    if lower >= 0 or upper <= 0:
        known = {(True, True): Trend.CONSTANT, (True, False): Trend.INCREASING}
        trend = known.get((lower >= 0, upper <= 0), Trend.DECREASING)
    else:
        trend = Trend.UNKNOWN if rises is None or falls is None else Trend.NEITHER
    return Monotonicity(y, x, trend, lower, upper, falls, rises)


def _without_middle(box: Interval, half: float) -> Interval:
    """Boxes that cover the box without the open cube |x_i| < half: it lies in the ball of the radius."""
    low, high = (end[0] for end in box)
    if not half:
        return box
    lows: list[Tensor] = []
    highs: list[Tensor] = []
    for i in range(len(low)):
        for side in (-1, 1):
            a, b = low.clone(), high.clone()
            if side < 0:
                b[i] = min(float(b[i]), -half)
            else:
                a[i] = max(float(a[i]), half)
            if bool((a <= b).all()):
                lows.append(a)
                highs.append(b)
        low, high = low.clone(), high.clone()
        low[i], high[i] = max(float(low[i]), -half), min(float(high[i]), half)
    if not lows:
        raise UsageError("radius: no point of the box is as far from the origin")
    return torch.stack(lows), torch.stack(highs)
