"""What has no sound rule is refused with its reason, never computed with another meaning."""

from __future__ import annotations

import onnx
import pytest

from genbab.errors import UnsupportedError
from genbab.reader import load_onnx

MASK = "o = Constant<value=float[4] {1, 0, 1, 1}>() m = Log(o) a = Add(x, m) "
NOTHING = "o = Constant<value=float[4] {0, 0, 0, 0}>() m = Log(o) a = Add(x, m) "
LOOP = (
    "{start} e = Loop<body = g (int64 i, bool go, float[1,4] s) => (bool on, float[1,4] t) "
    "{{ {turn} t = Sin(s) }}>(n, c, x) y = Relu(e)"
)
CROPPED = (
    "r = Constant<value=float[4] {%s}>() "
    'y = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize">(x, r, s)'
)
PLACES = (
    "a = Constant<value=int64[4] {1, 1, 2, 2}>() i = Reshape(x, a) "
    'h = Constant<value=int64[4] {1, 2, 1, 2}>() g = Reshape(x, h) y = GridSample<mode="%s">(i, g)'
)
CASES = [
    ("k = Constant<value=int64[1] {2}>() y, i = TopK<sorted=0>(x, k)", "TopK", "in which order"),
    ("y = Unique(x)", "Unique", "shape of its output depends"),
    ("n = NonZero(x) y = Cast<to=1>(n)", "NonZero", "shape of its output depends"),
    ("y = RandomNormalLike(x)", "RandomNormalLike", "random"),
    ("r = RandomNormal<shape=[1,4]>() y = Add(x, r)", "RandomNormal", "random"),
    ("y = Bernoulli(x)", "Bernoulli", "random"),
    ("h = Cast<to=17>(x) r = Relu(h) y = Cast<to=1>(r)", "Cast", "float8e4m3fn"),
    ("h = Cast<to=19>(x) r = Relu(h) y = Cast<to=1>(r)", "Cast", "float8e5m2"),
    ("a = ArgMax<axis=1>(x) w = Constant<value=int64 {2}>() y = Div(a, w)", "Div", "rounds"),
    ("i = Cast<to=7>(x) j = Mul(i, i) y = Cast<to=11>(j)", "Mul", "up to 2^52"),
    ("i = Cast<to=6>(x) j = Mod(i, i) y = Cast<to=11>(j)", "Mod", "divisor that may be 0"),
    ("i = Cast<to=7>(x) y = ScatterElements<axis=1>(x, i, x)", "ScatterElements", "two may be equal"),
    ("i = Cast<to=6>(x) j = ReduceMean(i) y = Cast<to=11>(j)", "ReduceMean", "int32 integers"),
    ("i = Cast<to=6>(x) j = Expand(i, i) y = Cast<to=11>(j)", "Expand", "its input 1 depends"),
    (MASK + "y = Tanh(a)", "Tanh", "minus infinity"),
    (MASK + "z = Mul(a, x) y = Softmax(z)", "Mul", "minus infinity"),
    (MASK + "y = Identity(a)", "output", "minus infinity"),
    (NOTHING + "y = Softmax(a)", "Softmax", "all minus infinity"),
    (PLACES % "nearest", "GridSample", "places that depend on the network's input, with mode 'nearest'"),
    (PLACES % "cubic", "GridSample", "mode 'cubic'"),
    ("y = Celu<alpha=0.0>(x)", "Celu", "divides by alpha"),
    ("y = Selu<alpha=1e20, gamma=1e20>(x)", "Selu", "infinite in float32"),
    ("y = Resize<antialias=1>(x, , s)", "Resize", "antialias=1 with mode 'nearest'"),
    (CROPPED % "0, 0, 0.5, 1", "Resize", "an axis that keeps its size"),
    (CROPPED % "0, 0, 1, 0.5", "Resize", "give the sizes instead"),
    ("s = SequenceConstruct(x, x) i = ArgMax<axis=1>(x) y = SequenceAt(s, i)", "SequenceAt", "position"),
]  # fmt: skip


def problems(body: str, opset: int = 18) -> list[tuple[str, str]]:
    """(operator, reason) of everything that is refused in a graph from x to y."""
    scales = "s = Constant<value=float[2] {1, 2}>() "
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[1,4] x) => (float y) {{ {scales}{body} }}'
    if "s = Sequence" in body:
        text = text.replace(scales, "")
    with pytest.raises(UnsupportedError) as caught:
        load_onnx(onnx.parser.parse_model(text))
    return [(operator, reason) for _, operator, reason in caught.value.problems]


@pytest.mark.parametrize(("body", "operator", "reason"), CASES)
def test_the_reason_is_given(body: str, operator: str, reason: str) -> None:
    found = problems(body)
    assert any(name == operator and reason in why for name, why in found), found


def test_loops_whose_turns_depend_on_the_input() -> None:
    counted = "a = ArgMax<axis=1, keepdims=0>(x) n = Identity(a) c = Constant<value=bool {1}>()"
    found = problems(LOOP.format(start=counted, turn="on = Identity(go)"))
    assert found == [("Loop", "its trip count depends on the network's input")]
    fixed = "n = Constant<value=int64 {3}>() c = Constant<value=bool {1}>()"
    asked = "z = Constant<value=float {0}>() r = ReduceSum<keepdims=0>(s) on = Less(z, r)"
    found = problems(LOOP.format(start=fixed, turn=asked))
    assert found == [("Loop", "the condition of its body depends on the network's input")]
    endless = "n = Constant<value=int64 {100000}>() c = Constant<value=bool {1}>()"
    body = LOOP.format(start=endless, turn="on = Identity(go)").replace("t = Sin(s)", "t = Identity(s)")
    assert problems(body) == [("Loop", "more than 10000 turns")]


def test_a_branch_that_depends_on_the_input() -> None:
    body = (
        "z = Constant<value=float {0}>() r = ReduceSum<keepdims=0>(x) c = Less(z, r) "
        "y = If<then_branch = a () => (float[1,4] p) { p = Relu(x) }, "
        "else_branch = b () => (float[1,4] q) { q = Sin(x) }>(c)"
    )
    assert problems(body) == [("If", "its condition depends on the network's input")]
