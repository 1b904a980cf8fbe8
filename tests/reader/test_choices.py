"""Choices between branches: masks by huge numbers, branches that are undefined where they are not taken."""

from __future__ import annotations

import onnx
import pytest
import torch

from genbab import Config
from genbab.api import bounds
from genbab.errors import DeadlineReached, ModelError, UnsupportedError
from genbab.network import evaluate
from genbab.reader import Model, load_onnx
from genbab.system.deadline import Deadline

METHODS = ("interval", "forward", "backward", "optimised")
LARGEST = 3.4028234663852886e38
SCORES = (
    "W = Constant<value=float[4,4] {0.5,-0.2,0.3,0.1,-0.4,0.6,0.2,0.7,0.1,-0.3,0.8,0.2,0.4,0.1,-0.5,0.3}>() "
    "s = MatMul(x, W) z = Constant<value=float {0}>() h = Constant<value=float {0.5}>() "
)
CHOICES = {
    "of itself": "c = Greater(x, z) m = Where(c, x, k) ",
    "of itself or equal": "c = GreaterOrEqual(x, z) m = Where(c, x, k) ",
    "of another": "c = Greater(x, z) m = Where(c, s, k) ",
    "of another or equal": "c = GreaterOrEqual(x, z) m = Where(c, s, k) ",
    "negated": "c = Less(x, z) n = Not(c) m = Where(n, s, k) ",
    "the other way round": "c = Less(x, z) m = Where(c, k, s) ",
    "of two": "c = Greater(x, z) d = Less(s, h) e = Or(c, d) m = Where(e, s, k) ",
    "added": "c = Greater(x, z) a = Where(c, z, k) m = Add(s, a) ",
    "product": "o = Constant<value=float {1}>() c = GreaterOrEqual(x, z) p = Cast<to=1>(c) q = Sub(o, p) "
    "a = Mul(q, k) m = Add(s, a) ",
}


def read(body: str, constants: dict[str, float] | None = None) -> Model:
    """The model x (1, 4) -> y of a body in ONNX's text format."""
    written = "".join(f"{n} = Constant<value=float {{{v!r}}}>() " for n, v in (constants or {}).items())
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float y)'
    return load_onnx(onnx.parser.parse_model(f"{head} {{ {written}{body} }}"))


def sound(model: Model, low: list[float], high: list[float], least: float = 1e300) -> None:
    """Bounds by all methods hold what is seen, and are at most `least` times as wide."""
    ends = torch.tensor([low, high], dtype=torch.float64)
    share = torch.rand(2000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share[:300] = share[:300].round()
    seen = evaluate(model.network, torch.lerp(ends[0], ends[1], share))
    for method in METHODS:
        lower, upper = bounds(model, ends[0], ends[1], method, Config(root_steps=3))
        assert not bool((lower.isnan() | upper.isnan()).any()), method
        slack = 1e-9 * (1 + seen.abs())
        assert float(torch.maximum(lower - seen - slack, seen - upper - slack).amax()) <= 0, method
        if least < 1e300:
            assert bool((upper - lower <= least * (seen.amax(0) - seen.amin(0)) + 1e-6).all()), method


@pytest.mark.parametrize("number", [-1e4, -1e9, -LARGEST])
@pytest.mark.parametrize("choice", CHOICES)
def test_masks_of_scores(choice: str, number: float) -> None:
    model = read(SCORES + CHOICES[choice] + "y = Softmax<axis=1>(m)", {"k": number})
    assert model.notes == ()
    sound(model, [-1.0, -1.0, 0.1, -1.0], [1.0, -0.5, 1.0, 1.0])
    decided = [[0.6, -1.0, 0.1, -0.9], [1.0, -0.5, 0.7, -0.2]]
    sound(model, decided[0], decided[1], least=10.0)


@pytest.mark.parametrize("number", [-1e9, -LARGEST])
def test_a_number_that_is_not_taken_leaves_no_trace(number: float) -> None:
    body = SCORES + "c = Greater(x, z) y = Where(c, s, k)"
    model = read(body, {"k": number})
    low, high = (torch.tensor([[v] * 4], dtype=torch.float64) for v in (0.5, 0.75))
    plain = read(SCORES + "y = Identity(s)")
    for method in METHODS:
        masked, bare = (bounds(which, low, high, method) for which in (model, plain))
        for one, other in zip(masked, bare, strict=True):
            assert torch.allclose(one, other, rtol=0.0, atol=1e-12), method


def test_a_mask_of_minus_infinity_needs_a_constant_condition() -> None:
    scored = SCORES + "n = Constant<value=float {-inf}>() "
    with pytest.raises(UnsupportedError, match="-1e9 is accepted"):
        read(scored + "c = Greater(x, z) m = Where(c, s, n) y = Softmax<axis=1>(m)")
    hidden = "c = Constant<value=bool[1,4] {1,0,1,1}>() m = Where(c, s, n) y = Softmax<axis=1>(m)"
    model = read(scored + hidden)
    lower, upper = bounds(model, [-1.0] * 4, [1.0] * 4, "backward")
    assert float(lower[0, 1].abs().maximum(upper[0, 1].abs())) < 1e-12
    sound(model, [-1.0] * 4, [1.0] * 4)


GUARDED = {
    "log": ("a = Log(x) c = Greater(x, z) y = Where(c, a, z)", True),
    "log from a number on": ("a = Log(x) c = Greater(x, h) y = Where(c, a, x)", False),
    "log, turned": ("n = Neg(x) a = Log(n) c = Less(x, z) y = Where(c, a, z)", True),
    "x log x": ("a = Log(x) p = Mul(a, x) c = Greater(x, z) y = Where(c, p, z)", True),
    "root": ("a = Sqrt(x) c = Greater(x, z) y = Where(c, a, z)", False),
    "root or equal": ("a = Sqrt(x) c = GreaterOrEqual(x, z) y = Where(c, a, x)", False),
    "root of a sum": ("t = Add(x, h) a = Sqrt(t) c = Greater(t, z) y = Where(c, a, z)", False),
    "one over": ("a = Reciprocal(x) c = Equal(x, z) y = Where(c, z, a)", True),
    "one over, positive": ("a = Reciprocal(x) c = Greater(x, z) y = Where(c, a, z)", True),
    "one over, far": ("b = Abs(x) a = Reciprocal(x) c = Greater(b, h) y = Where(c, a, x)", False),
    "power": ("p = Constant<value=float {-0.5}>() a = Pow(x, p) c = Greater(x, h) y = Where(c, a, z)", False),
    "arcsine": ("b = Abs(x) a = Asin(x) o = Add(h, h) c = LessOrEqual(b, o) y = Where(c, a, z)", False),
}


@pytest.mark.parametrize("name", GUARDED)
def test_a_branch_that_is_undefined_where_it_is_not_taken(name: str) -> None:
    body, unbounded = GUARDED[name]
    model = read(SCORES + body)
    assert model.notes == ()
    for low, high in (([-2.0, -0.5, 0.7, 0.0], [2.0, 0.75, 1.5, 0.6]), ([-3.0] * 4, [-1.0] * 4)):
        sound(model, low, high)
    sound(model, [0.75] * 4, [0.9] * 4, least=1.1)
    if not unbounded:
        lower, upper = bounds(model, [-2.0] * 4, [2.0] * 4, "interval")
        assert bool((torch.isfinite(lower) & torch.isfinite(upper)).all())


def test_a_pole_that_is_met_stays_one() -> None:
    """1/x on x <= 0 is infinite at 0, also where a box only touches it."""
    model = read(SCORES + "a = Reciprocal(x) c = LessOrEqual(x, z) y = Where(c, a, z)")
    lower, upper = bounds(model, [0.0] * 4, [1.0] * 4, "interval")
    assert not bool((torch.isfinite(lower) & torch.isfinite(upper)).any())


def test_a_condition_on_something_else_is_refused_with_the_node() -> None:
    with pytest.raises(ModelError, match="'y' .Where.*compares the very tensor"):
        read(SCORES + "a = Log(s) c = Greater(x, z) y = Where(c, a, z)")


@pytest.mark.parametrize("number", [1e4, 1e9, 1e30, LARGEST])
@pytest.mark.parametrize("kind", ["Min", "Max"])
def test_limits_far_from_zero(kind: str, number: float) -> None:
    sign = 1.0 if kind == "Min" else -1.0
    model = read(f"a = {kind}(k, x) y = Sigmoid(a)", {"k": sign * number})
    sound(model, [-1.0] * 4, [2.0] * 4, least=1.001)
    sound(read(f"y = {kind}(k, x)", {"k": -sign * 1e4}), [-1.0] * 4, [2.0] * 4)


def test_limits_that_differ() -> None:
    limits = f"{{{-LARGEST!r}, 0.5, -1e9, -0.25}}"
    model = read(f"k = Constant<value=float[4] {limits}>() y = Max(x, k)")
    sound(model, [-1.0] * 4, [2.0] * 4, least=1.01)
    inputs = torch.tensor([[-0.5, -0.5, -0.5, -0.5]], dtype=torch.float64)
    assert evaluate(model.network, inputs)[0].tolist() == [-0.5, 0.5, -0.5, -0.25]


def test_a_parabola_whose_vertex_is_far_is_not_completed() -> None:
    body = "p = Mul(x, k) q = Add(p, o) y = Mul(x, q)"
    model = read(body, {"k": 3e-15, "o": 1.0})
    sound(model, [0.1] * 4, [0.3] * 4, least=1.0 + 1e-9)
    found = evaluate(model.network, torch.full((1, 4), 0.25, dtype=torch.float64))
    assert float((found - 0.25).abs().amax()) < 1e-14


def test_reading_ends_when_the_time_is_up() -> None:
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float y)'
    proto = onnx.parser.parse_model(f"{head} {{ a = Sin(x) b = Tan(a) y = Mul(a, b) }}")
    with pytest.raises(DeadlineReached):
        load_onnx(proto, ask=Deadline(0.0).check)


def test_many_jumps_are_given_up_at_once() -> None:
    """A sawtooth with millions of jumps: the parts are kept, nothing is certified."""
    asked: list[int] = []
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float y)'
    body = "k = Constant<value=float {0.0062785}>() a = Mod<fmod=1>(x, k) y = Mul(a, x)"
    model = load_onnx(onnx.parser.parse_model(f"{head} {{ {body} }}"), ask=lambda: asked.append(0))
    assert any(name.startswith("sawtooth") for name in model.functions)
    assert len(asked) < 100
    sound(model, [-1.0] * 4, [2.0] * 4)


@pytest.mark.parametrize(
    "body",
    [
        "a = Abs(x) p = Add(a, o) s = Log(p) e = Exp(x) t = Sub(e, o) c = Greater(x, z) y = Where(c, s, t)",
        "n = Neg(x) s = Exp(n) f = Add(x, x) t = Atan(f) c = Greater(x, z) y = Where(c, s, t)",
        "q = Exp(x) s = Mul(q, x) t = Tanh(x) c = Less(x, o) y = Where(c, s, t)",
        "s = Sinh(x) t = Neg(x) c = Greater(x, z) d = Less(x, o) b = And(c, d) y = Where(b, s, t)",
    ],
)
def test_a_branch_that_overflows_where_it_is_not_taken(body: str) -> None:
    model = read(body, {"z": 0.0, "o": 1.0})
    sound(model, [-1.0, -2.0, 0.1, -0.5], [2.0, -0.5, 1.0, 1.5])
    far = torch.tensor([[-900.0, 900.0, -800.0, 800.0]], dtype=torch.float64)
    assert bool(torch.isfinite(evaluate(model.network, far)).all())
