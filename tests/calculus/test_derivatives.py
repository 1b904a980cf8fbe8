"""Models of derivatives: against torch, against exact numbers, against onnxruntime; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import genbab
from genbab.attack import Replayer
from genbab.errors import UsageError
from genbab.network import evaluate
from genbab.reader import Model
from genbab.specs import Clause, Spec
from tests.calculus.networks import SMOOTH, Attentive, Sine, bends, jacobian, layers


def inside(model: Model, low: float, high: float, truth: list[Tensor]) -> bool:
    """Whether bounds of the model on a box hold the values found there."""
    size = model.network.input_size
    lower, upper = genbab.output_bounds(model, [low] * size, [high] * size, method="backward")
    room = 1e-9  # torch rounds, too
    return all(bool(((lower[0] - room <= y) & (y <= upper[0] + room)).all()) for y in truth)


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_those_of_torch_and_bounds_hold_them(name: str) -> None:
    module = layers(SMOOTH[name])
    model = genbab.load(module, example=torch.zeros(1, 2))
    points = [0.4 * torch.rand(2).double() - 0.1 for _ in range(8)]
    for order, wanted in ((1, jacobian), (2, bends)):
        made = genbab.derivative(model, order)
        replayer = Replayer(made)
        truth = [wanted(module, x).reshape(-1) for x in points]
        for x, y in zip(points, truth, strict=True):
            assert torch.allclose(evaluate(made.network, x), y, rtol=1e-6, atol=1e-7)
            assert np.allclose(replayer.replay(x.numpy()), y.numpy(), rtol=1e-4, atol=1e-4)
        assert inside(made, -0.1, 0.3, truth)


@pytest.mark.parametrize("module", [Attentive(), nn.Sequential(nn.Linear(2, 5), Sine(), nn.Linear(5, 2))])
def test_all_kinds_of_nodes_have_derivatives(module: nn.Module) -> None:
    size = next(p.shape[1] for p in module.parameters() if p.ndim == 2)
    model, x = genbab.load(module, example=torch.zeros(1, size)), torch.rand(size).double()
    first = jacobian(module, x)
    assert torch.allclose(evaluate(genbab.derivative(model).network, x), first.reshape(-1), atol=1e-9)
    v, w = torch.rand(size).double(), torch.rand(2).double()
    assert torch.allclose(evaluate(genbab.jvp(model, v).network, x), first @ v, atol=1e-9)
    assert torch.allclose(evaluate(genbab.vjp(model, w).network, x), w @ first, atol=1e-9)
    if size < 3:  # of attention that takes long
        e, second = torch.eye(size).double()[0], bends(module, x)[:, 0]
        assert torch.allclose(evaluate(genbab.derivative(model, 2, inputs=[0]).network, x), second, atol=1e-8)
        assert torch.allclose(evaluate(genbab.jvp(model, e, 2).network, x), second, atol=1e-8)


def test_forward_and_reverse_agree() -> None:
    module = layers(nn.Tanh, sizes=(12, 6, 2))
    model, x = genbab.load(module, example=torch.zeros(1, 12)), torch.rand(12).double()
    row = genbab.derivative(model, outputs=[1])  # in reverse: one output, twelve inputs
    column = genbab.derivative(model, inputs=[3, 7], values=True)  # forward
    wanted = jacobian(module, x)
    assert torch.allclose(evaluate(row.network, x), wanted[1])
    assert torch.allclose(evaluate(column.network, x)[2:], wanted[:, [3, 7]].reshape(-1))
    assert torch.allclose(evaluate(column.network, x)[:2], evaluate(model.network, x))


def graph(*nodes: onnx.NodeProto, constants: dict[str, np.ndarray] | None = None, size: int = 1) -> bytes:
    """A model from x (1, size) to y in float32."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size]) for n in ("x", "y")]
    made = [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in (constants or {}).items()]
    whole = helper.make_graph(list(nodes), "g", ends[:1], ends[1:], made)
    opsets = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(whole, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def test_numbers_that_a_rewriting_rounds_are_paid_for() -> None:
    """(x/3 + x/7)²·0.1 has the derivative 2·0.1·(10/21)²·x of the real numbers, which no float is."""
    constants = {"three": np.array(3.0), "seven": np.array(7.0), "tenth": np.array(0.1)}
    nodes = [
        helper.make_node("Div", ["x", "three"], ["a"]),
        helper.make_node("Div", ["x", "seven"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Mul", ["c", "c"], ["d"]),
        helper.make_node("Mul", ["d", "tenth"], ["y"]),
    ]
    model = genbab.load(graph(*nodes, constants=constants))
    slope = 2 * Fraction(float(np.float32(0.1))) * Fraction(10, 21) ** 2
    for order, at, exact in ((1, 1.5, slope * Fraction(3, 2)), (2, 0.7, slope)):
        low, high = genbab.output_bounds(genbab.derivative(model, order), [at], [at])
        assert Fraction(float(low)) < exact < Fraction(float(high))
        assert float(high - low) < 1e-13


@pytest.mark.parametrize("entries", [3, 7])
def test_weights_that_cancel_are_known_as_far_as_they_are(entries: int) -> None:
    """The mean less Σ fl(1/n)·x has the derivatives 1/n - fl(1/n), which are not 0."""
    near = np.full((entries, 1), 1.0 / entries)
    ends = [
        helper.make_tensor_value_info(n, TensorProto.DOUBLE, [1, m]) for n, m in (("x", entries), ("y", 1))
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["x", "near"], ["s"]),
        helper.make_node("Sub", ["m", "s"], ["y"]),
    ]
    whole = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(near, "near")])
    data = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = genbab.load(data.SerializeToString())
    exact = Fraction(1, entries) - Fraction(1.0 / entries)
    for made in (genbab.derivative(model), genbab.vjp(model, [1.0]), genbab.jvp(model, np.eye(entries)[0])):
        low, high = genbab.output_bounds(made, [0.0] * entries, [1.0] * entries)
        assert all(
            Fraction(a) <= exact <= Fraction(b)
            for a, b in zip(low[0].tolist(), high[0].tolist(), strict=True)
        )
        assert float(high.max() - low.min()) < 1e-14


@pytest.mark.parametrize("kind", ["Floor", "Sign", "Round", "Ceil"])
def test_jumps_are_refused_by_name(kind: str) -> None:
    model = graph(helper.make_node(kind, ["x"], ["y"], name="stairs"))
    with pytest.raises(UsageError, match=r"node 'stairs': '\w+' jumps, so it has no derivative"):
        genbab.derivative(model)


Piece = Callable[[Tensor], Tensor]


class Pieces(nn.Module):
    """One of two functions up to a place and the other beyond it."""

    def __init__(
        self, place: float, left: Callable[[Tensor], Tensor], right: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.place, self.left, self.right = place, left, right

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > self.place, self.right(x), self.left(x))


def test_pieces_that_meet_are_one_function() -> None:
    made = genbab.derivative(Pieces(3.0, lambda x: x / 2, lambda x: 2 * x - 4.5), example=torch.zeros(1, 1))
    for x, slope in ((2.0, 0.5), (4.0, 2.0)):
        assert float(evaluate(made.network, torch.tensor([x]).double())) == pytest.approx(slope)


@pytest.mark.parametrize(("place", "left"), [(3.0, torch.tanh), (1e-9, lambda x: 2 * x)])
def test_pieces_that_do_not_meet_are_refused(place: float, left: Piece) -> None:
    with pytest.raises(UsageError, match="may jump, so it has no derivative"):
        genbab.derivative(Pieces(place, left, lambda x: x), example=torch.zeros(1, 1))


def test_jumps_that_no_output_depends_on_in_that_direction_do_no_harm() -> None:
    zero = helper.make_node("Floor", ["c"], ["d"], name="floor of a constant")
    model = graph(zero, helper.make_node("Mul", ["x", "d"], ["y"]), constants={"c": np.array([[2.5]])})
    assert float(evaluate(genbab.derivative(model).network, torch.ones(1).double())) == 2.0


def test_rounding_on_the_way_is_refused() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16, name="shorter"),
        helper.make_node("Cast", ["h"], ["y"], to=TensorProto.FLOAT, name="longer"),
    ]
    with pytest.raises(UsageError, match="'shorter' is rounded on the way"):
        genbab.derivative(graph(*nodes))


def test_derivatives_have_a_value_only_where_values_have() -> None:
    """The logarithm's derivative 1/x is one of negative numbers, too; and what is multiplied by 0 counts."""
    log = helper.make_node("Log", ["x"], ["a"])
    for last in (helper.make_node("Identity", ["a"], ["y"]), helper.make_node("Mul", ["a", "zero"], ["y"])):
        made = genbab.derivative(graph(log, last, constants={"zero": np.array(0.0)}))
        assert torch.isfinite(torch.cat(genbab.output_bounds(made, [0.5], [1.0]))).all()
        low, high = genbab.output_bounds(made, [-0.5], [1.0])
        assert float(low) == -torch.inf and float(high) == torch.inf
        assert torch.isnan(evaluate(made.network, torch.tensor([-1.0]).double())).all()


def test_what_is_undefined_does_not_cancel_between_rows() -> None:
    sqrt = helper.make_node("Sqrt", ["x"], ["y"])
    made = genbab.derivative(graph(sqrt, size=2), values=True)
    rows = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0, -1.0], [1.0, 0.0, -1.0, 0.0, 0.0, 0.0]])
    low, _ = genbab.output_bounds(made, [-1.0, 1.0], [1.0, 2.0], C=rows)
    assert bool((low == -torch.inf).all())


def test_the_file_of_a_derivative_is_a_model_of_its_own(tmp_path: Path) -> None:
    module = layers(nn.Tanh)
    made = genbab.derivative(module, example=torch.zeros(1, 2))
    path = tmp_path / "jacobian.onnx"
    path.write_bytes(made.proto)
    again, x = genbab.load(path), torch.tensor([0.2, -0.3]).double()
    assert torch.allclose(evaluate(again.network, x), jacobian(module, x).reshape(-1))
    onnx.checker.check_model(onnx.load(path), full_check=True)


def below(value: float) -> Spec:
    """The only output stays below a value on |x| <= 0.1."""
    clause = Clause(0, np.array([[-1.0]]), None, np.array([-value]))
    return Spec(np.full((1, 2), -0.1), np.full((1, 2), 0.1), (clause,), 1)


def test_verdicts_about_derivatives() -> None:
    module = layers(nn.Tanh)
    made = genbab.derivative(module, outputs=[0], inputs=[0], example=torch.zeros(1, 2))
    _, high = genbab.output_bounds(made, [-0.1, -0.1], [0.1, 0.1])
    assert genbab.verify(made, below(float(high) + 0.01)).verdict == "verified"
    middle = float(jacobian(module, torch.zeros(2).double())[0, 0])
    result = genbab.verify(made, below(middle))
    assert result.verdict == "falsified" and result.counterexample is not None
    x = torch.from_numpy(result.counterexample.x.astype(np.float64))
    assert float(jacobian(module, x)[0, 0]) >= middle - 1e-9


@pytest.mark.parametrize(
    "wrong", [{"order": 0}, {"order": 9}, {"outputs": [5]}, {"inputs": ["a"]}, {"inputs": []}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be"):
        genbab.derivative(layers(nn.Tanh), **wrong, example=torch.zeros(1, 2))  # type: ignore[arg-type]
