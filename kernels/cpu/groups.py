"""The kernels of softmax on arrays: what surrounds the compiled loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.kernels.cpu import softmax as loops
from genbab.kernels.cpu.arrays import compact, empty
from genbab.kernels.cpu.threads import spread
from genbab.kernels.torch import softmax
from genbab.kernels.torch.softmax import FLOOR, SoftmaxFacts, SoftmaxPlanes

WORK = 30
"""About how many numbers of other loops one number of a plane takes."""


@dataclass(frozen=True, eq=False)
class ArrayFacts:
    """The facts, in one array (13 or 16, B or 1, N), and the slopes of differences (B or 1, G, K, K)."""

    facts: SoftmaxFacts
    array: Any
    slopes: Any


def softmax_ready(facts: SoftmaxFacts) -> ArrayFacts:
    """`softmax.softmax_ready`."""
    slopes = facts.start[..., None] if facts.apart is None else facts.apart.slopes
    return ArrayFacts(facts, softmax.packed(facts).numpy(), slopes.contiguous().numpy())


def softmax_planes(facts: SoftmaxFacts | ArrayFacts, a: Tensor, at: Tensor) -> SoftmaxPlanes:
    """`softmax.softmax_planes`."""
    ready = facts if isinstance(facts, ArrayFacts) else softmax_ready(facts)
    length = ready.facts.length
    if a.numel() == 0:
        return softmax.softmax_planes(ready.facts, a, at)
    made, bias = torch.empty((7, *a.shape), dtype=a.dtype), empty(a.shape[:2], a)
    critical = torch.empty((*a.shape[:2], a.shape[2] // length), dtype=torch.int64)
    spread(
        loops.planes_rows, a.shape[0] * a.shape[1], WORK * a.shape[2], length, ready.facts.apart is not None,
        FLOOR[a.dtype], compact(a, 3), compact(at, 3), ready.array, ready.slopes, made.numpy(), bias[1],
        critical.numpy(),
    )  # fmt: skip
    form, x, upper, value, own, cross, power = made.unbind()
    return SoftmaxPlanes(form, bias[0], x, upper, value, own, cross, power, critical)


def softmax_values(facts: SoftmaxFacts | ArrayFacts, planes: SoftmaxPlanes, v: Tensor) -> Tensor:
    """`softmax.softmax_values`."""
    ready = facts if isinstance(facts, ArrayFacts) else softmax_ready(facts)
    if v.numel() == 0:
        return softmax.softmax_values(ready.facts, planes, v)
    lines = (planes.at, planes.upper, planes.value, planes.own, planes.cross, planes.power)
    found = empty(v.shape, v)
    spread(
        loops.values_rows, v.shape[0] * v.shape[1], 4 * v.shape[2], ready.facts.length,
        ready.facts.apart is not None, ready.array, ready.slopes, tuple(compact(t, 3) for t in lines),
        planes.critical.contiguous().numpy(), compact(v, 3), found[1],
    )  # fmt: skip
    return found[0]
