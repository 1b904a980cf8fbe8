"""The kernels of softmax: what surrounds the Triton ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from genbab.kernels.gpu.launching import laid_out, on
from genbab.kernels.gpu.softmax import planes_kernel, values_kernel
from genbab.kernels.torch import softmax
from genbab.kernels.torch.softmax import FLOOR, SoftmaxFacts, SoftmaxPlanes

LONGEST = 64
"""Longer groups are left to the definition: a program compares all pairs of a group's entries."""

TILE = 4096
"""Pairs that a program compares."""


@dataclass(frozen=True, eq=False)
class PackedFacts:
    """The facts, in one tensor (13 or 16, B or 1, N), and the slopes of differences (B or 1, G, K, K)."""

    facts: SoftmaxFacts
    array: Tensor
    slopes: Tensor

    def steps(self) -> tuple[int, int, int]:
        """Steps to the facts of the next domain, to the next kind of facts, to the next domain's slopes."""
        _, domains, size = self.array.shape
        return size * (domains > 1), domains * size, self.slopes.stride(0) * (len(self.slopes) > 1)


def softmax_ready(facts: SoftmaxFacts) -> PackedFacts:
    """`softmax.softmax_ready`."""
    slopes = facts.start if facts.apart is None else facts.apart.slopes
    return PackedFacts(facts, softmax.packed(facts), slopes.contiguous())


def _blocks(groups: int, length: int) -> dict[str, int]:
    wide = triton.next_power_of_2(length)
    return {"WIDE": wide, "GROUPS": min(max(1, TILE // wide**2), triton.next_power_of_2(groups), 64)}


def softmax_planes(facts: SoftmaxFacts | PackedFacts, a: Tensor, at: Tensor) -> SoftmaxPlanes:
    """`softmax.softmax_planes`."""
    ready = facts if isinstance(facts, PackedFacts) else softmax_ready(facts)
    length = ready.facts.length
    if a.numel() == 0 or length > LONGEST:
        return softmax.softmax_planes(ready.facts, a, at)
    shape = (batch, rows, size) = tuple(a.shape)
    groups, blocks = size // length, _blocks(size // length, length)
    mine, given = laid_out(a, shape), laid_out(at, shape)
    made, parts = a.new_empty(7, *shape), a.new_empty(batch, rows, groups)
    critical = torch.empty(batch, rows, groups, dtype=torch.int64, device=a.device)
    with on(a):
        planes_kernel[(batch * rows, triton.cdiv(groups, blocks["GROUPS"]))](
            mine[0], given[0], ready.array, ready.slopes, made, parts, critical, batch, rows, size, length,
            groups, *mine[1:], *given[1:], *ready.steps(),
            APART=ready.facts.apart is not None, FLOOR=FLOOR[a.dtype], **blocks,
        )  # fmt: skip
    form, x, upper, value, own, cross, power = made.unbind()
    return SoftmaxPlanes(form, parts.sum(-1), x, upper, value, own, cross, power, critical)


def softmax_values(facts: SoftmaxFacts | PackedFacts, planes: SoftmaxPlanes, v: Tensor) -> Tensor:
    """`softmax.softmax_values`."""
    ready = facts if isinstance(facts, PackedFacts) else softmax_ready(facts)
    length = ready.facts.length
    if v.numel() == 0 or length > LONGEST:
        return softmax.softmax_values(ready.facts, planes, v)
    shape = (batch, rows, size) = tuple(v.shape)
    groups, blocks = size // length, _blocks(size // length, length)
    lines = (planes.at, planes.upper, planes.value, planes.own, planes.cross, planes.power)
    there, y = laid_out(v, shape), v.new_empty(shape)
    with on(v):
        values_kernel[(batch * rows, triton.cdiv(groups, blocks["GROUPS"]))](
            *(t.contiguous() for t in lines), there[0], ready.array, ready.slopes,
            planes.critical.contiguous(), y, batch, rows, size, length, groups, *there[1:], *ready.steps(),
            APART=ready.facts.apart is not None, **blocks,
        )  # fmt: skip
    return y
