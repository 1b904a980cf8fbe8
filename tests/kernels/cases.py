"""Inputs for kernels: ragged shapes, awkward memory, awkward numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.kernels import Function, Relaxed
from genbab.kernels.functions import HOT
from genbab.kernels.torch.conjugates import value

FUNCTIONS = tuple(Function(name, 0.3 if name == "leaky_relu" else 0.0) for name in HOT)
DTYPES = (torch.float32, torch.float64)
SHAPES = ((2, 3, 37), (1, 1, 1), (3, 1, 130), (1, 5, 64), (2, 2, 71))
EMPTY = ((0, 3, 5), (2, 0, 5), (2, 3, 0))


@dataclass(frozen=True)
class Case:
    """Arguments of `relax`."""

    fn: Function
    a: Tensor
    boxes: tuple[tuple[Tensor, Tensor], ...]
    slopes: tuple[Tensor, ...]
    defaults: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    before: Tensor


def numbers(seed: int, dtype: torch.dtype, *shape: int) -> Tensor:
    """Normal random numbers, the same in both dtypes but for rounding."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def scattered(x: Tensor) -> Tensor:
    """The same numbers, no two of a row neighbours in memory."""
    room = torch.full((x.shape[-1], *x.shape[:-1], 2), torch.nan, dtype=x.dtype)
    room[..., 0] = x.movedim(-1, 0)
    return room[..., 0].movedim(0, -1)


def make(
    fn: Function, dtype: torch.dtype, shape: tuple[int, int, int], seed: int = 0, device: str = "cpu"
) -> Case:
    """Random coefficients, boxes (narrow and wide) and slopes; for 1/x on both sides of 0."""
    batch, rows, size = shape
    boxes, slopes, low, high = [], [], [], []
    for place in range(fn.arguments):
        at = seed + 10 * place
        middle = 3.0 * numbers(at + 1, dtype, batch, 1, size)
        radius = 2.0 * numbers(at + 2, dtype, batch, 1, size).abs() ** 3
        if fn.name == "reciprocal":
            middle = middle + middle.sign() * (radius + 0.2)
        boxes.append((middle - radius, middle + radius))
        slopes.append(0.6 * numbers(at + 3, dtype, *shape))
        low.append(numbers(at + 4, dtype, batch, 1, size))
        high.append(numbers(at + 5, dtype, batch, 1, size))
    a = numbers(seed + 6, dtype, *shape)
    a[..., ::5] = 0.0
    before = numbers(seed + 7, dtype, *shape) > 0
    return Case(fn, a, tuple(boxes), tuple(slopes), (tuple(low), tuple(high)), before)


def moved(case: Case, how: dict[str, object]) -> Case:
    """The case with every tensor put through `.to(**how)`."""

    def to(x: Tensor) -> Tensor:
        return x.to(**how)  # type: ignore[call-overload, no-any-return]

    return Case(
        case.fn,
        to(case.a),
        tuple((to(l), to(u)) for l, u in case.boxes),  # noqa: E741
        tuple(map(to, case.slopes)),
        (tuple(map(to, case.defaults[0])), tuple(map(to, case.defaults[1]))),
        to(case.before),
    )


def room(dtype: torch.dtype) -> float:
    """How far results may be apart, in relation to the size of what is added up."""
    return 4e-6 if dtype == torch.float32 else 1e-11


def same(found: Tensor, wanted: Tensor, size: Tensor | float = 1.0) -> None:
    """Equal up to rounding of numbers of this size; infinities and NaN in the same places."""
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    known = torch.isfinite(wanted)
    assert torch.equal(torch.isnan(found), torch.isnan(wanted))
    rest = ~known & ~torch.isnan(wanted)
    assert torch.equal(found[rest], wanted[rest])
    apart = (found - wanted).abs().nan_to_num(0.0) / (wanted.abs().nan_to_num(0.0, 0.0) + size + 1e-30)
    worst = apart[known].max() if bool(known.any()) else torch.zeros(())
    assert float(worst) <= room(found.dtype), f"{float(worst):.2e} apart"


def attained(case: Case, found: Relaxed) -> None:
    """The intercept is what the line leaves at its touching point, and that lies in the box."""
    assert found.intercept is not None
    at, gap = [x.double() for x in found.touch], torch.zeros_like(found.intercept, dtype=torch.float64)
    size = torch.ones_like(gap)
    for x, k, (l, u) in zip(at, found.slopes, case.boxes, strict=True):  # noqa: E741
        assert bool(((l <= x.to(l.dtype)) & (x.to(l.dtype) <= u)).all())
        gap, size = gap - k.double() * x, size + (k.double() * x).abs()
    f = at[0] * at[1] if len(at) == 2 else value(case.fn, at[0])
    assert bool(((f + gap - found.intercept.double()).abs() <= room(case.a.dtype) * (size + f.abs())).all())
