"""Bounding methods by name, and sound bounds of linear functions of the outputs by any of them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbab.bounds.answer import Question, answer
from genbab.bounds.ascent.adam import Steps
from genbab.bounds.costs import rows_at_once
from genbab.bounds.engine import Engine
from genbab.bounds.passes.certify import Certified
from genbab.bounds.passes.forward import forward
from genbab.bounds.passes.taken import Rows
from genbab.bounds.plan import Tightening, tighten_all
from genbab.errors import UsageError
from genbab.network import Network
from genbab.network.interval import Interval, interval_rows, propagate

METHODS = ("interval", "forward", "backward", "optimised", "crown-ibp", "crown-forward")
"""How hidden intervals and outputs are bounded.

interval: interval arithmetic (IBP); forward: linear forms carried forward; backward: linear forms carried
back from every hidden row and from the outputs, default slopes (CROWN); optimised: the same with slopes
optimised for every row (alpha-CROWN); crown-ibp and crown-forward: hidden intervals as in the first two,
outputs as in the third.
"""

SYNONYMS = {
    "ibp": "interval",
    "crown": "backward",
    "alpha-crown": "optimised",
    "crown-optimized": "optimised",
    "optimized": "optimised",
    "ibp+backward": "crown-ibp",
    "forward+backward": "crown-forward",
    "forward+crown": "crown-forward",
}


@dataclass(frozen=True, eq=False)
class LinearBounds:
    """Linear functions around C·y(x), for every x of each box and over the reals, all float64:

    lower_matrix·x + lower_constant <= C·y(x) <= upper_matrix·x + upper_constant; matrices (B, S, D),
    constants (B, S).
    """

    lower_matrix: Tensor
    lower_constant: Tensor
    upper_matrix: Tensor
    upper_constant: Tensor


def method_named(name: str) -> str:
    """The method of `METHODS` meant, whatever the case; raises `UsageError` for anything else."""
    plain = str(name).strip().lower().replace("_", "-")
    found = SYNONYMS.get(plain, plain)
    if found not in METHODS:
        close = difflib.get_close_matches(plain, [*METHODS, *SYNONYMS], 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        known = ", ".join([*METHODS, "IBP", "CROWN", "alpha-CROWN"])
        raise UsageError(f"method {name!r}{hint}: must be one of {known}")
    return found


def node_intervals(
    engine: Engine, box: Interval, method: str, steps: int, outputs: bool = True
) -> list[Interval]:
    """Sound intervals (B, N) of every node by a method of `METHODS`; steps: of slopes, where optimised.

    Without `outputs`, those of the output node are as cheap as they come.
    """
    if method in ("interval", "crown-ibp"):
        return propagate(engine.exact, box, ask=engine.check)
    if method in ("forward", "crown-forward"):
        return forward(engine.exact, box, ask=engine.check)
    chosen = Steps.of(steps if method == "optimised" else 0)
    plain = propagate(engine.exact, box, ask=engine.check)
    intervals = tighten_all(engine, box, plain, Tightening(outputs=outputs)).intervals
    if chosen.count:
        return tighten_all(engine, box, intervals, Tightening(chosen, outputs=outputs)).intervals
    return intervals


def row_ranges(
    engine: Engine, box: Interval, matrix: Tensor, method: str, steps: int
) -> tuple[Tensor, Tensor, LinearBounds]:
    """Sound lower and upper bounds (B, S) of matrix·y, matrix (B or 1, S, O), and linear functions around it.

    Methods that keep no linear function of the outputs give constant ones.
    """
    intervals = node_intervals(engine, box, method, steps, outputs=False)
    output = intervals[engine.exact.output]
    matrix = matrix.expand(box[0].shape[0], -1, -1)
    lower = interval_rows(matrix, output, None, box)
    upper = -interval_rows(-matrix, output, None, box)
    flat = matrix.new_zeros(*lower.shape, box[0].shape[1])
    if method in ("interval", "forward"):
        return lower, upper, LinearBounds(flat, lower, flat, upper)
    below, above = _forms(engine, box, intervals, matrix, steps if method == "optimised" else 0)
    linear = LinearBounds(below[1], below[2], -above[1], -above[2])
    return torch.maximum(lower, below[0]), torch.minimum(upper, -above[0]), linear


Form = tuple[Tensor, Tensor, Tensor]
"""Bound (B, S), matrix (B, S, D) and constant (B, S) of linear functions below rows."""


def _forms(
    engine: Engine, box: Interval, intervals: list[Interval], matrix: Tensor, steps: int
) -> tuple[Form, Form]:
    """Forms below matrix·y and below -matrix·y, in chunks that fit the memory."""
    relaxations = engine.relaxed(intervals)
    size = max(1, rows_at_once(engine, box[0].shape[0], engine.exact.output, steps > 0) // 2)
    parts: list[Form] = []
    for part in torch.split(matrix, size, 1):
        engine.check()
        rows = Rows(engine.exact.output, torch.cat([part, -part], 1))
        parts.append(_usable(answer(engine, Question(rows, box, relaxations), Steps.of(steps)).certified))
    sides = []
    for side in (0, 1):
        halves = [[t.chunk(2, 1)[side] for t in part] for part in parts]
        sides.append(tuple(torch.cat(same, 1) for same in zip(*halves, strict=True)))
    return (sides[0][0], sides[0][1], sides[0][2]), (sides[1][0], sides[1][1], sides[1][2])


def _usable(known: Certified) -> Form:
    """The forms, minus infinity where there is no finite one."""
    bound, form, constant = known.bound, known.form, known.constant
    good = torch.isfinite(bound) & torch.isfinite(constant) & torch.isfinite(form).all(-1)
    return bound, torch.where(good[..., None], form, 0.0), torch.where(good, constant, -torch.inf)


def matrix_of_rows(network: Network, given: Any, count: int, device: torch.device) -> Tensor:
    """Rows C as people give them, as (B or 1, S, O) for `count` boxes; raises `UsageError`."""
    matrix = _numbers("C", given, device)
    matrix = matrix[None] if matrix.dim() == 2 else matrix
    wanted = f"(S, {network.output_size}) or ({count}, S, {network.output_size})"
    if matrix.dim() != 3 or matrix.shape[2] != network.output_size or matrix.shape[0] not in (1, count):
        raise UsageError(f"C: expected the shape {wanted}, found {tuple(torch.as_tensor(given).shape)}")
    return matrix


def _numbers(name: str, value: Any, device: torch.device) -> Tensor:
    if isinstance(value, Tensor | np.ndarray) and (
        value.is_complex() if isinstance(value, Tensor) else np.iscomplexobj(value)
    ):
        raise UsageError(f"{name}: expected real numbers, found {value.dtype}")
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64, device=device).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: expected numbers ({error})") from error
    if not numbers.numel():
        raise UsageError(f"{name}: holds no numbers, its shape is {tuple(numbers.shape)}")
    if not bool(torch.isfinite(numbers).all()):
        raise UsageError(f"{name}: every number must be finite")
    return numbers


def boxes(network: Network, lower: Any, upper: Any, device: torch.device) -> Interval:
    """Boxes (B, D) as people give their ends, (D,) or (B, ...); raises `UsageError`."""
    ends = []
    for name, value in (("lower", lower), ("upper", upper)):
        end = _numbers(name, value, device)
        size = network.input_size
        end = (
            end.reshape(1, -1) if end.numel() == size else end.reshape(end.shape[0], -1) if end.dim() else end
        )
        if end.dim() != 2 or end.shape[1] != size:
            raise UsageError(f"{name}: expected {size} numbers per box, found the shape {tuple(end.shape)}")
        ends.append(end)
    shapes = [tuple(end.shape) for end in ends]
    if shapes[0] != shapes[1]:
        raise UsageError(f"lower and upper have different shapes: {shapes[0]} and {shapes[1]}")
    above = (ends[0] > ends[1]).nonzero()
    if len(above):
        box, number = above[0].tolist()
        raise UsageError(f"lower is above upper in box {box} at input {number}")
    return ends[0], ends[1]
