"""Planes of softmax: below its values, as the engine's own, and the same in every backend.

`test_interpreter` runs this file once more with Triton's interpreter.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.kernels import Kernels, SoftmaxFacts, SoftmaxPlanes
from genbab.kernels.torch import reference
from genbab.nonlinear.groups.softmax import Softmax, SoftmaxBox, by_rows
from genbab.nonlinear.groups.softmax_planes import planes
from tests.kernels.backends import INTERPRETED
from tests.kernels.cases import DTYPES, numbers, same, scattered

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
Shape = tuple[int, int, int, int]
SHAPES: tuple[Shape, ...] = ((2, 3, 4, 5), (1, 1, 1, 1), (3, 1, 2, 7), (1, 5, 1, 37), (1, 1, 19, 2))
EMPTY: tuple[Shape, ...] = ((0, 3, 2, 4), (2, 0, 2, 4))
PARTS = ("form", "bias", "at", "upper", "value", "own", "cross", "power")


def box_of(shape: Shape, dtype: torch.dtype, apart: bool, wide: float = 2.0) -> SoftmaxBox:
    """Boxes, and where `apart` intervals of the differences that every point of a smaller box has."""
    batch, _, groups, length = shape
    middle = 2.0 * numbers(1, torch.float64, batch, 1, groups * length)
    radius = wide * numbers(2, torch.float64, batch, 1, groups * length).sigmoid()
    l, u = (middle - radius).to(dtype), (middle + radius).to(dtype)  # noqa: E741
    if not apart or length == 1:
        return SoftmaxBox(Softmax(length), l, u)
    first, second = torch.triu_indices(length, length, 1)
    centre, room = (by_rows(t, length) for t in (middle, radius / 2))
    at, far = centre[..., first] - centre[..., second], room[..., first] + room[..., second]
    ends = ((at - far).flatten(-2).to(dtype), (at + far).flatten(-2).to(dtype))
    return SoftmaxBox(Softmax(length), l, u, ends)


def inside(shape: Shape, dtype: torch.dtype, seed: int, wide: float = 2.0) -> Tensor:
    """A point of every row in the smaller boxes of `box_of`."""
    batch, rows, groups, length = shape
    middle = 2.0 * numbers(1, torch.float64, batch, 1, groups * length)
    radius = wide * numbers(2, torch.float64, batch, 1, groups * length).sigmoid() / 2
    return (middle + radius * numbers(seed, torch.float64, batch, rows, groups * length).tanh()).to(dtype)


def on(device: str, facts: SoftmaxFacts) -> SoftmaxFacts:
    """The facts there."""

    def to(x: Tensor | tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        return x.to(device) if isinstance(x, Tensor) else (x[0].to(device), x[1].to(device))

    names = ("ends", "known", "top", "start", "slope", "logits", "values", "steepest")
    apart = facts.apart
    if apart is not None:
        parts = {n: getattr(apart, n).to(device) for n in ("usable", "fixed", "down", "slopes")}
        apart = replace(apart, **parts)
    moved: dict[str, object] = {n: to(getattr(facts, n)) for n in names}
    return replace(facts, apart=apart, **moved)  # type: ignore[arg-type]


def compare(
    backend: tuple[Kernels, str], facts: SoftmaxFacts, a: Tensor, at: Tensor, v: Tensor
) -> SoftmaxPlanes:
    """Run both and compare planes, lines and values."""
    module, device = backend
    ready = module.softmax_ready(on(device, facts))
    found = module.softmax_planes(ready, a.to(device), at.to(device))
    want = reference.softmax_planes(facts, a, at)
    size = 1.0 + a.abs().amax(-1, keepdim=True).nan_to_num(0.0)
    for name in PARTS:
        one, other = getattr(found, name).cpu(), getattr(want, name)
        same(one, other, 40.0 * (size.sum(-1) * a.shape[-1] if name == "bias" else size))
    assert torch.equal(found.critical.cpu(), want.critical)
    values = module.softmax_values(ready, found, v.to(device)).cpu()
    reach = (v - want.at).abs().amax(-1, keepdim=True) if v.numel() else 1.0
    same(values, reference.softmax_values(facts, want, v), 40.0 * (1.0 + reach))
    return want


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, *EMPTY], ids=str)
def test_softmax(backend: tuple[Kernels, str], shape: Shape, dtype: torch.dtype, apart: bool) -> None:
    batch, rows, groups, length = shape
    facts = box_of(shape, dtype, apart).facts
    a, v = (numbers(seed, dtype, batch, rows, groups * length) for seed in (3, 4))
    compare(backend, facts, a, inside(shape, dtype, 5), v)
    compare(
        backend, facts, a, inside((batch, min(rows, 1), groups, length), dtype, 6), inside(shape, dtype, 7)
    )


@pytest.mark.parametrize("apart", [False, True])
def test_softmax_reads_any_memory(backend: tuple[Kernels, str], apart: bool) -> None:
    """Shared boxes, expanded and scattered rows; nothing is written to."""
    facts = box_of((1, 3, 4, 5), torch.float32, apart).facts
    a, v = (scattered(numbers(seed, torch.float32, 1, 3, 20)).expand(2, -1, -1) for seed in (3, 4))
    at = scattered(inside((1, 1, 4, 5), torch.float32, 5))
    before = [t.clone() for t in (a, at, v)]
    compare(backend, facts, a, at, v)
    assert all(torch.equal(x, y) for x, y in zip((a, at, v), before, strict=True))


def test_softmax_with_numbers_that_are_none(backend: tuple[Kernels, str]) -> None:
    """NaN in a coefficient makes its row's bias NaN, in a point it counts 0; unbounded groups know little."""
    box = box_of((1, 3, 4, 5), torch.float64, False)
    box.l[0, 0, 7] = -torch.inf
    a, at = numbers(3, torch.float64, 1, 3, 20), inside((1, 3, 4, 5), torch.float64, 5)
    a[0, 1, 3], at[0, 2, 4] = torch.nan, torch.nan
    found = backend[0].softmax_planes(on(backend[1], box.facts), a.to(backend[1]), at.to(backend[1]))
    assert bool(found.bias[0, 1].isnan()) and bool(torch.isfinite(found.bias[0, ::2]).all())
    zero = at.nan_to_num(0.0)
    usual = backend[0].softmax_planes(on(backend[1], box.facts), a.to(backend[1]), zero.to(backend[1]))
    assert torch.equal(found.form[0, ::2], usual.form[0, ::2])
    assert bool((found.form[0, ::2, 5:10] == 0).all())


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("shape", SHAPES if not INTERPRETED else SHAPES[:1], ids=str)
def test_softmax_lies_above_its_planes(backend: tuple[Kernels, str], shape: Shape, apart: bool) -> None:
    batch, rows, groups, length = shape
    for wide in (0.3, 2.0, 8.0):
        facts = box_of(shape, torch.float64, apart, wide).facts
        a = numbers(3, torch.float64, batch, rows, groups * length)
        at = inside(shape, torch.float64, 5, 3.0 * wide).to(backend[1])  # also points outside
        found = backend[0].softmax_planes(on(backend[1], facts), a.to(backend[1]), at)
        assert bool((found.at.cpu() >= facts.ends[0]).all() and (found.at.cpu() <= facts.ends[1]).all())
        for seed in range(10, 60):
            x = inside(shape, torch.float64, seed, wide)
            value = (a * by_rows(x, length).softmax(-1).flatten(-2)).sum(-1)
            plane = (found.form.cpu() * x).sum(-1) + found.bias.cpu()
            assert bool((plane <= value + 1e-9 * (1.0 + found.form.cpu().abs().sum(-1))).all())


@pytest.mark.parametrize("apart", [False, True])
def test_softmax_values_are_the_gradient_to_the_coefficients(
    backend: tuple[Kernels, str], apart: bool
) -> None:
    """Against differences of <form, v> + bias; c is the best, so its own change counts nothing."""
    shape, step = (2, 3, 4, 5), 1e-6
    facts = on(backend[1], box_of(shape, torch.float64, apart).facts)
    a, at, v = (
        numbers(3, torch.float64, 2, 3, 20),
        inside(shape, torch.float64, 5),
        inside(shape, torch.float64, 6),
    )
    a, at, v = a.to(backend[1]), at.to(backend[1]), v.to(backend[1])

    def plane(change: Tensor) -> Tensor:
        found = backend[0].softmax_planes(facts, a + change, at)
        height: Tensor = (found.form * v).sum(-1) + found.bias
        return height

    values = backend[0].softmax_values(facts, backend[0].softmax_planes(facts, a, at), v)
    for n in range(0, 20, 3):
        change = torch.zeros_like(a)
        change[..., n] = step
        slope = (plane(change) - plane(-change)) / (2 * step)
        torch.testing.assert_close(values[..., n], slope, rtol=1e-5, atol=1e-6)


def test_softmax_repeats_itself(backend: tuple[Kernels, str]) -> None:
    shape = (2, 5, 3, 11)
    facts = on(backend[1], box_of(shape, torch.float32, True).facts)
    a, at = numbers(3, torch.float32, 2, 5, 33).to(backend[1]), inside(shape, torch.float32, 5).to(backend[1])
    first, second = (backend[0].softmax_planes(facts, a, at) for _ in range(2))
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in PARTS)
    ready = backend[0].softmax_ready(facts)
    assert torch.equal(backend[0].softmax_planes(ready, a, at).form, first.form)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_definition_is_what_the_engine_computes(shape: Shape, apart: bool) -> None:
    batch, rows, groups, length = shape
    for wide in (0.3, 2.0, 20.0):
        box = box_of(shape, torch.float64, apart, wide)
        a, v = (numbers(seed, torch.float64, batch, rows, groups * length) for seed in (3, 4))
        at = inside(shape, torch.float64, 5, wide)
        want, found = planes(box, a, at, rigorous=False), reference.softmax_planes(box.facts, a, at)
        size = 1.0 + a.abs().amax(-1, keepdim=True)
        same(found.form, want.form, size)
        same(found.bias, want.constants.sum(-1), size.sum(-1) * a.shape[-1])
        same(reference.softmax_values(box.facts, found, v), want.along(v), 10.0)
