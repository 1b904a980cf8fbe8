"""Certified maxima, Lipschitz constants, signs and decreases against dense sampling."""

from __future__ import annotations

import math

import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

import genbab
from genbab.calculus.results import Trend
from genbab.errors import UsageError
from tests.calculus.networks import layers
from tests.registered import forgotten  # noqa: F401

LOW, HIGH = [-1.0, -1.0], [1.0, 1.0]


def jacobians(module: nn.Module, count: int = 2000) -> Tensor:
    """Jacobians (N, O, D) at random points of the box."""
    double = module.double()
    x = 2 * torch.rand(count, 2).double() - 1
    found: Tensor = torch.func.vmap(torch.func.jacrev(lambda z: double(z[None])[0]))(x).detach()
    module.float()
    return found


@pytest.mark.parametrize("norm", [1, 2, math.inf])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_lipschitz_constants_bound_all_slopes(activation: type[nn.Module], norm: float) -> None:
    module = layers(activation, seed=3, sizes=(2, 5, 1))
    found = genbab.lipschitz(module, LOW, HIGH, norm, example=torch.zeros(1, 2), timeout=5)
    dual = {1: math.inf, 2: 2, math.inf: 1}[norm]
    seen = float(torch.linalg.vector_norm(jacobians(module)[:, 0], dual, -1).max())
    assert seen <= found.upper * (1 + 1e-12) and found.lower <= found.upper
    a, b = (2 * torch.rand(2000, 2).double() - 1 for _ in range(2))
    double = module.double()
    apart = (double(a) - double(b)).detach().abs()[:, 0] / torch.linalg.vector_norm(a - b, norm, -1)
    assert float(apart.max()) <= found.upper * (1 + 1e-12)
    if activation is nn.Tanh:
        assert found.status == "enclosed" and found.upper <= 1.02 * found.lower + 1e-6


def test_norms_of_several_outputs() -> None:
    module = layers(nn.Tanh, seed=4, sizes=(2, 5, 3))
    jacobian = jacobians(module)
    for norm in (1, 2, math.inf):
        found = genbab.lipschitz(
            module, LOW, HIGH, norm, example=torch.zeros(1, 2), timeout=10, tolerance=0.05
        )
        seen = float(torch.linalg.matrix_norm(jacobian, norm).max())
        assert seen <= found.upper and found.lower <= found.upper
        assert found.status == ("frobenius" if norm == 2 else "enclosed")
        assert found.upper <= 1.8 * seen


def test_the_kink_of_an_absolute_value_does_no_harm() -> None:
    """relu(x) + relu(-x) and relu(x) - relu(-x): both kinks at the same place, constant 1."""
    for sign in (1.0, -1.0):
        first, last = nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            first.weight.copy_(torch.tensor([[1.0], [-1.0]]))
            last.weight.copy_(torch.tensor([[1.0, sign]]))
        module = nn.Sequential(first, nn.ReLU(), last)
        found = genbab.lipschitz(module, [-1.0], [1.5], example=torch.zeros(1, 1), timeout=2)
        assert found.lower == pytest.approx(1.0) and found.upper >= 1.0


def test_what_is_seen_is_seen_off_kinks() -> None:
    """relu(x) - relu(-x) is x, with slope 1, also where both slopes count as 1: at 0."""
    model = genbab.load(Pair(), example=torch.zeros(1, 1))
    found = genbab.maximum(model, "d(y0, x0)", [-2.0], [2.0], timeout=1)
    assert found.lower <= 1.0 <= found.upper
    found = genbab.maximum(model, "-d(y0, x0)", [0.0], [0.0], timeout=1)
    assert found.lower == -math.inf and found.upper >= -1.0


def test_what_no_input_moves_may_be_at_a_kink() -> None:
    """A neuron that was pruned is always at 0."""
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        for part in (module[0].weight, module[0].bias):
            assert isinstance(part, Tensor)
            part[1] = 0.0
    found = genbab.lipschitz(module, LOW, HIGH, example=torch.zeros(1, 2), timeout=1)
    assert 0 < found.lower <= found.upper


def test_points_behind_the_best_are_tried() -> None:
    """The middle of a box is at all kinks of a sum of ReLUs, and has the largest slopes."""
    found = genbab.lipschitz(Sum(), [-1.0] * 12, [1.0] * 12, example=torch.zeros(1, 12), timeout=0.5)
    assert 5 <= found.lower <= 12 <= found.upper


class Sum(nn.Module):
    """relu(x0) + relu(x1) + ..."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x).sum(-1, keepdim=True)


@pytest.mark.usefixtures("forgotten")
def test_norm_2_of_what_onnxruntime_cannot_run() -> None:
    """Nothing can be seen there, and that is all."""

    def plain(x: Tensor) -> Tensor:
        return x + torch.relu(x)

    def slope(x: Tensor) -> Tensor:
        return 1 + (x > 0).to(x.dtype)

    record = genbab.Nonlinearity(
        "seen_by_nobody", plain, slope, breaks=(0.0,), curvature=(0, 0), kinks=(0.0,), second=torch.zeros_like
    )
    genbab.register("seen_by_nobody", record, onnx="com.example::SeenByNobody")
    node = helper.make_node("SeenByNobody", ["x"], ["y"], domain="com.example")
    sides = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1, 2]) for name in "xy"]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    graph = helper.make_graph([node], "g", sides[:1], sides[1:])
    model = genbab.load(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    found = genbab.lipschitz(model, LOW, HIGH, 2, timeout=0.5)
    assert found.lower == -math.inf and found.upper >= 8**0.5


class Pair(nn.Module):
    """relu(x) - relu(-x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) - torch.relu(-x)


class Ramp(nn.Module):
    """(x0 + tanh(x1), x0·x1, 3 - exp(x0))."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, 0], x[:, 1]
        return torch.stack([a + torch.tanh(b), a * b, 3 - torch.exp(a)], 1)


def test_ranges_of_derivatives() -> None:
    module = layers(nn.Tanh, seed=8, sizes=(2, 6, 2))
    found = genbab.jacobian_range(module, LOW, HIGH, example=torch.zeros(1, 2), tolerance=0.05)
    seen = jacobians(module).flatten(1)
    for one, values in zip(found, seen.mT, strict=True):
        assert one.lower <= float(values.min()) and float(values.max()) <= one.upper
        assert one.lower <= one.least_seen <= one.greatest_seen <= one.upper
        assert one.upper - one.lower <= 1.11 * (one.greatest_seen - one.least_seen)


def test_signs_of_derivatives() -> None:
    found = genbab.monotonicity(Ramp(), LOW, HIGH, example=torch.zeros(1, 2))
    up, down, none, both = Trend.INCREASING, Trend.DECREASING, Trend.CONSTANT, Trend.NEITHER
    assert [one.trend for one in found] == [up, up, both, both, down, none]
    mixed = found[2]
    assert mixed.falls is not None and mixed.rises is not None and mixed.falls[1] < 0 < mixed.rises[1]


def test_maxima_of_formulas() -> None:
    found = genbab.maximum(Ramp(), "abs(d(y0, x1) + y1*x0)", LOW, HIGH, example=torch.zeros(1, 2))
    x = torch.cartesian_prod(*[torch.linspace(-1, 1, 401).double()] * 2)
    wanted = float((1 - torch.tanh(x[:, 1]) ** 2 + x[:, 0] ** 2 * x[:, 1]).abs().max())
    assert found.lower >= wanted - 1e-3 and wanted <= found.upper <= 1.02 * wanted


class Energy(nn.Module):
    """x0² + x0·x1 + x1²."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, :1], x[:, 1:]
        return a * a + a * b + b * b


def test_decrease_along_trajectories() -> None:
    """Of a damped pendulum, and of one that is driven."""
    for force, certified in (("-sin(x0) - x1", True), ("-sin(x0) + x1", False)):
        found = genbab.lyapunov_decrease(
            Energy(), ["x1", force], LOW, HIGH, radius=0.1, example=torch.zeros(1, 2)
        )
        assert found.certified is certified and found.refuted is not certified
        assert found.upper < 0 if certified else found.lower >= 0


def test_what_makes_no_sense_is_refused() -> None:
    model = genbab.load(Ramp(), example=torch.zeros(1, 2))
    with pytest.raises(UsageError, match="norm = 3"):
        genbab.lipschitz(model, LOW, HIGH, 3)
    with pytest.raises(UsageError, match="lower is above upper at input 1"):
        genbab.lipschitz(model, [0, 1], [1, 0])
    with pytest.raises(UsageError, match="lower: expected 2 finite numbers"):
        genbab.monotonicity(model, [0], [1])
    with pytest.raises(UsageError, match="timeout = -1"):
        genbab.maximum(model, "y0", LOW, HIGH, timeout=-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tolerence'"):
        genbab.maximum(model, "y0", LOW, HIGH, tolerence=1)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="expected 2 formulas"):
        genbab.lyapunov_decrease(model, ["x0"], LOW, HIGH)
    with pytest.raises(UsageError, match="expected a list of 2 formulas"):
        genbab.lyapunov_decrease(model, "x1", LOW, HIGH)
    with pytest.raises(UsageError, match="column 3: unmatched"):
        genbab.lyapunov_decrease(model, ["x1) + (5", "x0"], LOW, HIGH)
    with pytest.raises(UsageError, match="radius = None"):
        genbab.lyapunov_decrease(model, ["x1", "x0"], LOW, HIGH, radius=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="timeout = '3'"):
        genbab.maximum(model, "y0", LOW, HIGH, timeout="3")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="lower: expected 2 finite numbers, found -inf among them"):
        genbab.lipschitz(model, [-math.inf, 0], HIGH)
