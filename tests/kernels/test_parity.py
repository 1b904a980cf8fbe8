"""Every backend agrees with the reference: numba if installed, Triton on a GPU or where it interprets.

`test_interpreter` runs this file once more with Triton's interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from genbab.kernels import S_SHAPED, Function, Kernels, Pace, Relaxed
from genbab.kernels.torch import reference
from genbab.kernels.torch.conjugates import conjugate
from genbab.lut.generate import table_on
from genbab.nonlinear.facts.registry import make as function
from tests.kernels.backends import INTERPRETED
from tests.kernels.cases import (
    DTYPES,
    EMPTY,
    FUNCTIONS,
    SHAPES,
    Case,
    attained,
    make,
    moved,
    numbers,
    same,
    scattered,
)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
CASES = [pytest.param(fn, dtype, id=f"{fn.name}-{str(dtype)[6:]}") for fn in FUNCTIONS for dtype in DTYPES]


def on_cpu(found: Relaxed) -> Relaxed:
    c = None if found.intercept is None else found.intercept.cpu()
    forms, slopes, touch = (tuple(t.cpu() for t in part) for part in (found.forms, found.slopes, found.touch))
    return Relaxed(forms, found.bias.cpu(), slopes, c, touch)


def compare(backend: tuple[Kernels, str], case: Case, given: bool, flipped: bool) -> Relaxed:
    """Run both and compare; the touching points need not be the same where several are as good."""
    there = moved(case, {"device": backend[1]})
    slopes, before = (there.slopes if given else None), (there.before if flipped else None)
    found = on_cpu(backend[0].relax(case.fn, there.a, there.boxes, slopes, there.defaults, before))
    want = reference.relax(
        case.fn,
        case.a,
        case.boxes,
        case.slopes if given else None,
        case.defaults,
        case.before if flipped else None,
    )
    assert want.intercept is not None and found.intercept is not None
    for one, other in zip((*found.forms, *found.slopes), (*want.forms, *want.slopes), strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0, equal_nan=True)
        assert one.is_contiguous()
    reach = sum(
        k.abs() * torch.maximum(l.abs(), u.abs()).nan_to_num(0.0, 0.0, 0.0)
        for k, (l, u) in zip(want.slopes, case.boxes, strict=True)  # noqa: E741
    )
    same(found.intercept, want.intercept, 1.0 + reach)
    same(
        found.bias,
        want.bias,
        (case.a.abs() * (want.intercept.abs().nan_to_num(0.0, 0.0) + 1 + reach)).sum(-1),
    )
    return found


@pytest.mark.parametrize(("fn", "dtype"), CASES)
def test_relax(backend: tuple[Kernels, str], fn: Function, dtype: torch.dtype) -> None:
    for place, (given, flipped) in enumerate(((True, True), (True, False), (False, False))):
        case = make(fn, dtype, SHAPES[0], seed=place)
        attained(case, compare(backend, case, given, flipped))


@pytest.mark.parametrize("shape", [*SHAPES[1:], *EMPTY], ids=str)
@pytest.mark.parametrize("name", ["tanh", "product"])
def test_relax_on_ragged_shapes(backend: tuple[Kernels, str], name: str, shape: tuple[int, int, int]) -> None:
    case = make(Function(name), torch.float32, shape)
    compare(backend, case, True, True)
    there = moved(case, {"device": backend[1]})
    bare = backend[0].relax(case.fn, there.a, there.boxes, there.slopes, there.defaults, keep=False)
    want = reference.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults)
    assert torch.equal(bare.forms[0].cpu(), want.forms[0]) and bare.intercept is None
    same(bare.bias.cpu(), want.bias, 100.0 * max(1, shape[-1]))


@pytest.mark.parametrize("name", ["silu", "product"])
def test_relax_reads_any_memory(backend: tuple[Kernels, str], name: str) -> None:
    one = make(Function(name), torch.float32, (1, 3, 37))
    spread = scattered(one.a).expand(2, -1, -1)
    boxes = tuple((scattered(l), scattered(u)) for l, u in one.boxes)  # noqa: E741
    slopes = tuple(k[:, :1].expand(2, 3, -1) for k in one.slopes)
    case = Case(one.fn, spread, boxes, slopes, one.defaults, scattered(one.before.float()).expand(2, -1, -1))
    copies = spread.clone(), boxes[0][0].clone()
    compare(backend, case, True, True)
    assert torch.equal(spread, copies[0]) and torch.equal(boxes[0][0], copies[1])


@pytest.mark.parametrize("name", ["relu", "sin", "gelu", "reciprocal", "product"])
def test_relax_with_numbers_that_are_none(backend: tuple[Kernels, str], name: str) -> None:
    case = make(Function(name), torch.float64, (1, 4, 8))
    case.a[0, 0, 1], case.slopes[0][0, 1, 2] = torch.nan, torch.nan
    case.a[0, 2:, 1:3] = 1.0
    low, high = case.boxes[0]
    low[0, 0, 3], high[0, 0, 4] = -torch.inf, torch.nan
    case.a[0, 3, 3:5] = 0.0  # takes no part
    if name == "reciprocal":
        low[0, 0, 5:7], high[0, 0, 5:7] = torch.tensor([-1.0, 0.0]), torch.tensor([2.0, 1.0])
    found = compare(backend, case, True, False)
    assert bool(torch.isnan(found.bias[0, :2]).all())
    if name != "reciprocal":
        assert torch.isfinite(found.bias[0, 3])
    assert found.bias[0, 2] == -torch.inf, "no line: nothing is known below"
    assert all(bool(torch.isfinite(x).all()) for x in found.touch)


@pytest.mark.parametrize(("fn", "dtype"), CASES)
def test_gradient(backend: tuple[Kernels, str], fn: Function, dtype: torch.dtype) -> None:
    case = make(fn, dtype, (2, 3, 37), seed=20)
    lines = reference.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults)
    to_forms = tuple(numbers(30 + i, dtype, 2, 3, 37) for i in range(fn.arguments))
    to_bias = numbers(40, dtype, 2, 3)
    there = moved(case, {"device": backend[1]})
    given = [tuple(t.to(backend[1]) for t in part) for part in (lines.slopes, lines.touch, to_forms)]
    assert lines.intercept is not None
    kept = Relaxed((), there.a, given[0], lines.intercept.to(backend[1]), given[1])
    for weight, held in ((None, kept), (to_bias, kept), (to_bias, Relaxed((), there.a, given[0]))):
        w = None if weight is None else weight.to(backend[1])
        to_a, to_slopes = backend[0].gradient(fn, there.a, there.boxes, held, given[2], w)
        want_a, want_slopes = reference.gradient(fn, case.a, case.boxes, lines, to_forms, weight)
        same(to_a.cpu(), want_a, 1.0 + lines.intercept.abs() + sum(x.abs() for x in lines.touch))
        for one, other, x in zip(to_slopes, want_slopes, lines.touch, strict=True):
            # a touching point moves by the root of what its intercept may be off
            size = case.a.abs() * (1.0 + x.abs()) * (1.0 if held is kept else 500.0)
            same(one.cpu(), other, 1.0 + size)


@pytest.mark.parametrize(("fn", "dtype"), CASES)
def test_ascend(backend: tuple[Kernels, str], fn: Function, dtype: torch.dtype) -> None:
    for shape in SHAPES[:1] if INTERPRETED else (SHAPES[0], (1, 1, 1), (2, 3, 0)):
        for freed in (dtype == torch.float32,) if INTERPRETED else (False, True):
            climbed(backend, make(fn, dtype, shape), freed)


def climbed(backend: tuple[Kernels, str], case: Case, freed: bool) -> None:
    """A step from kept lines is that of the definition, moments included."""
    dtype, shape, arity = case.a.dtype, case.a.shape, case.fn.arguments

    def on(parts: Iterable[Tensor]) -> tuple[Tensor, ...]:
        return tuple(t.clone().to(backend[1]) for t in parts)

    def thin(seed: int) -> tuple[Tensor, ...]:
        return tuple(numbers(seed + i, dtype, 1, 1, shape[2]).clamp_min(0.0) for i in range(arity))

    lines = reference.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults)
    assert lines.intercept is not None
    values = tuple(numbers(9 + i, dtype, *shape) for i in range(arity))
    values[0][..., :2] = torch.nan  # a gradient that is no number counts nothing
    low, high, free, pace = thin(20), thin(22), thin(24), Pace(0.3, (0.4, 0.8))
    moments = [
        (numbers(40 + i, dtype, *shape), numbers(50 + i, dtype, *shape).square()) for i in range(arity)
    ]
    there, others = moved(case, {"device": backend[1]}), [(on([m])[0], on([s])[0]) for m, s in moments]
    kept = Relaxed((), there.a, on(lines.slopes), on([lines.intercept])[0], on(lines.touch))
    found = backend[0].ascend(
        case.fn, there.a, there.boxes, kept, on(values), tuple(others), (on(low), on(high)), pace,
        on(free) if freed else None, there.defaults,
    )  # fmt: skip
    want = reference.ascend(
        case.fn, case.a, case.boxes, lines, values, tuple(moments), (low, high), pace,
        free if freed else None, case.defaults,
    )  # fmt: skip
    same(found[0].cpu(), want[0], 1.0 + lines.intercept.abs() + sum(x.abs() for x in lines.touch))
    assert all(bool(torch.isfinite(slope).all()) for slope in want[1])
    averages = [t for pair in others for t in pair], [t for pair in moments for t in pair]
    for one, other in zip([*found[1], *averages[0]], [*want[1], *averages[1]], strict=True):
        same(one.cpu(), other, 1.0 + other.abs())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", S_SHAPED)
def test_envelope(backend: tuple[Kernels, str], name: str, dtype: torch.dtype) -> None:
    """As the definition; and no line of any other slope is higher (lower) in the middle of the box."""
    fn = Function(name)
    for shape in ((3, 1, 130), (40, 1, 1), (2, 1, 0)):
        middle, radius = 2.0 * numbers(1, dtype, *shape), 2.0 * numbers(2, dtype, *shape).square()
        radius[..., ::7] = 0.0
        low, high = middle - radius, middle + radius
        found = backend[0].envelope(fn, (low.to(backend[1]), high.to(backend[1])))
        want = reference.envelope(fn, (low, high))
        for side, wanted in zip(found, want, strict=True):
            for one, other in zip(side, wanted, strict=True):
                far = 1e-3 if dtype == torch.float32 else 1e-7  # a touching point is where the slope is flat
                torch.testing.assert_close(one.cpu(), other, rtol=far, atol=far)
        if not low.numel():
            continue
        for upper in (False, True):
            slope, sides = found[0][upper].cpu().double(), torch.full(shape, upper)
            box, centre = (low.double(), high.double()), (0.5 * low + 0.5 * high).double()
            best = conjugate(fn, slope, *box, sides)[0] + slope * centre
            for share in (0.0, 0.5, 0.9, 1.1, 2.0):
                rival = share * slope
                height = conjugate(fn, rival, *box, sides)[0] + rival * centre
                excess = height - best if not upper else best - height
                assert float(excess.max()) < (1e-3 if dtype == torch.float32 else 1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("arity", [1, 2])
def test_lines(backend: tuple[Kernels, str], arity: int, dtype: torch.dtype) -> None:
    for shape in (SHAPES[0], (1, 1, 1), (2, 3, 0)):
        a = numbers(1, dtype, *shape)
        a[..., ::4] = 0.0
        per_neuron = [numbers(2 + i, dtype, shape[0], 1, shape[2]) for i in range(6)]
        per_row = [numbers(9 + i, dtype, *shape) for i in range(3)]
        per_neuron[4][..., ::4] = -torch.inf  # meets 0 alone
        lower, upper = (
            (tuple(per_neuron[:arity]), per_neuron[4]),
            (tuple(per_neuron[2 : 2 + arity]), per_neuron[5]),
        )
        rowwise = (tuple(per_row[:arity]), per_row[2])
        for line, other, mass in ((lower, upper, per_neuron[3].abs()), (rowwise, None, None)):
            there = [t.to(backend[1]) for t in (a, *line[0], line[1])]
            over = (
                None
                if other is None
                else (tuple(k.to(backend[1]) for k in other[0]), other[1].to(backend[1]))
            )
            heavy = None if mass is None else mass.to(backend[1])
            forms, bias, size = backend[0].lines(there[0], (tuple(there[1:-1]), there[-1]), over, heavy)
            want = reference.lines(a, line, other, mass)
            assert all(torch.equal(f.cpu(), w) for f, w in zip(forms, want[0], strict=True))
            same(bias.cpu(), want[1], shape[-1] + 1.0)
            assert (size is None) == (want[2] is None)
            if size is not None and want[2] is not None:
                same(size.cpu(), want[2])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, *EMPTY], ids=str)
def test_concretise(backend: tuple[Kernels, str], shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    form, constant = scattered(numbers(1, dtype, *shape)), numbers(2, dtype, *shape[:2])
    form[..., ::3] = 0.0
    middle, radius = numbers(3, dtype, 1, shape[2]), numbers(4, dtype, 1, shape[2]).abs()
    low, high = middle - radius, middle + radius
    high[:, ::6] = torch.inf  # meets 0 alone
    there = [t.to(backend[1]) for t in (form, low, high, constant)]
    found = backend[0].concretise(there[0], (there[1], there[2]), there[3], corner=True, size=True)
    want = reference.concretise(form, (low, high), constant, corner=True, size=True)
    same(found.bound.cpu(), want.bound, 10.0 + shape[-1])
    assert want.corner is not None and want.size is not None
    assert found.corner is not None and found.size is not None
    assert torch.equal(found.corner.cpu(), want.corner)
    same(found.size.cpu(), want.size)
    bare = backend[0].concretise(there[0], (there[1], there[2]))
    assert bare.corner is None and bare.size is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("domains", "halves"), [(3, 2), (1, 3), (2, 0)])
def test_half_spaces(backend: tuple[Kernels, str], domains: int, halves: int, dtype: torch.dtype) -> None:
    form = numbers(1, dtype, 1, 4, 45).expand(domains, -1, -1)
    middle, radius = numbers(2, dtype, domains, 45), numbers(3, dtype, domains, 45).abs()
    normal, level = numbers(4, dtype, domains, halves, 45), numbers(5, dtype, domains, halves)
    args = form, (middle - radius, middle + radius), normal, level
    there = [t.to(backend[1]) for t in (form, *args[1], normal, level)]
    given = there[0], (there[1], there[2]), there[3], there[4]
    boxes = form, middle, radius, normal, level
    found, want = backend[0].weights(*(t.to(backend[1]) for t in boxes)).cpu(), reference.weights(*boxes)
    value, size = (t.cpu() for t in backend[0].dual(*given, want.to(backend[1])))
    value_want, size_want = reference.dual(*args, want)
    same(value, value_want, size_want)
    same(size, size_want)
    assert bool((found >= 0).all())
    reached = reference.dual(*args, found)[0]  # the weights themselves jump where the dual is flat
    same(reached, value_want, size_want)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("candidates", "rows", "tried"), [(11, 3, 5), (1, 1, 1), (0, 3, 2), (2, 1, 0)])
def test_reach(
    backend: tuple[Kernels, str], candidates: int, rows: int, tried: int, dtype: torch.dtype
) -> None:
    form, weight = numbers(1, dtype, candidates, rows, 45), numbers(7, dtype, candidates, rows, tried)
    below, above = scattered(numbers(4, dtype, candidates, 45)), numbers(5, dtype, candidates, 45)
    weight[..., :1] = 0.0
    args = form, below, above, weight
    found = backend[0].reach(*(t.to(backend[1]) for t in args))
    same(found.cpu(), reference.reach(*args), 100.0)


@pytest.mark.parametrize("name", ["sigmoid", "sin", "gelu", "floor", "reciprocal"])
def test_points(backend: tuple[Kernels, str], name: str) -> None:
    table = table_on(function(name), torch.device("cpu"))
    assert table is not None
    middle, radius = 4.0 * numbers(1, torch.float64, 4, 90), numbers(2, torch.float64, 4, 90).abs() ** 4
    low, high = middle - radius, middle + radius
    low[0, :4], high[1, :4], low[2, :3], high[3, :3] = -torch.inf, torch.inf, torch.nan, low[3, :3]
    weight = numbers(3, torch.float64, 4, 90, 2).abs() ** 3
    there = [t.to(backend[1]) for t in (low, high, weight)]
    found = backend[0].points(table.to(torch.device(backend[1])).grid, *there).cpu()
    same(found, reference.points(table.grid, low, high, weight))


@pytest.mark.parametrize("fn", [Function("sigmoid"), Function("reciprocal"), Function("product")], ids=str)
def test_prepared_boxes_are_the_boxes(backend: tuple[Kernels, str], fn: Function) -> None:
    case = moved(make(fn, torch.float32, SHAPES[0]), {"device": backend[1]})
    ready = backend[0].prepare(fn, case.boxes)
    for slopes in (None, case.slopes):
        one = backend[0].relax(fn, case.a, case.boxes, slopes, case.defaults)
        two = backend[0].relax(fn, case.a, ready, slopes, case.defaults)
        assert torch.equal(one.bias, two.bias) and torch.equal(one.forms[0], two.forms[0])


def test_calls_repeat_themselves(backend: tuple[Kernels, str]) -> None:
    case = moved(make(Function("silu"), torch.float32, (2, 5, 300)), {"device": backend[1]})
    args = case.fn, case.a, case.boxes, case.slopes, case.defaults, case.before
    first, second = backend[0].relax(*args), backend[0].relax(*args)
    assert torch.equal(first.bias, second.bias) and torch.equal(first.touch[0], second.touch[0])
