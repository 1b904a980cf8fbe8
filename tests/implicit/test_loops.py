"""Loops that stop by themselves: bounds contain what they leave, whenever that is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genbab.errors import UnsupportedError
from genbab.network import Network
from genbab.network.interval import propagate
from genbab.reader.implicit.equations import Equation
from genbab.reader.models.executed import turn_by_turn
from genbab.reader.models.model import load_onnx
from genbab.reader.modules.load import load_torch
from genbab.reader.rounding.execution import Execution
from tests.implicit.loops import Changing
from tests.implicit.weights import contracting

LOOPS = {
    "largest change": Changing(),
    "length": Changing(measure="ReduceL2", f="Relu"),
    "sum": Changing(measure="ReduceL1", seed=3),
    "mean": Changing(measure="ReduceMean", f="Relu", norm=0.8),
    "squares": Changing(measure="ReduceSumSquare", tolerance=1e-4, seed=2),
    "negated": Changing(compared="LessOrEqual", turned=True, most=None),
    "no greatest number": Changing(most=None, tolerance=1e-5),
    "stops at once": Changing(tolerance=3.0, f="Relu", norm=0.5, start=1.0),
    "stops soon": Changing(tolerance=0.2, norm=0.9, f="Relu", seed=1),
    "never stops": Changing(tolerance=0.0, most=9, norm=0.9, f="Relu"),
    "few turns or near": Changing(tolerance=0.02, most=12, norm=0.9),
}


def outside(network: Network, loop: Changing, width: float, seed: int) -> int:
    """How many outputs of the loop, at points of a box, its bounds do not contain."""
    random = np.random.default_rng(seed)
    centre = 2 * random.normal(size=(1, 3))
    points = centre + width * np.sign(random.normal(size=(30, 3))) * np.minimum(1, 2 * random.random((30, 1)))
    box = torch.from_numpy(centre - width), torch.from_numpy(centre + width)
    low, high = (end.numpy() for end in propagate(network, box)[network.output])
    found = loop.value(points)
    slack = 1e-12 * (1 + np.abs(found))
    return int(((found < low - slack) | (found > high + slack)).sum())


@pytest.mark.parametrize("name", LOOPS)
def test_bounds_contain_what_the_loop_leaves(name: str) -> None:
    loop = LOOPS[name]
    model = load_onnx(loop.proto())
    assert model.network.implicit
    for width in (0.0, 0.1, 3.0):
        for seed in range(2):
            assert not outside(model.network, loop, width, seed), (width, seed)


def test_a_tolerance_that_is_taken_too_small_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, whole = LOOPS["stops soon"], Equation.change
    network = load_onnx(loop.proto(), check=False).network
    monkeypatch.setattr(Equation, "change", lambda self, most, f: 0.02 * whole(self, most, f))  # type: ignore[operator]
    wrong = load_onnx(loop.proto(), check=False).network
    assert not any(outside(network, loop, 0.0, seed) for seed in range(8))
    assert any(outside(wrong, loop, 0.0, seed) for seed in range(8))


@pytest.mark.parametrize(
    "loop",
    [Changing(compared="Less"), Changing(norm=1.2), Changing(norm=2.0, f="Relu"), Changing(tolerance=-1.0)],
    ids=["goes on while near", "expands", "does not contract", "negative tolerance"],
)
def test_other_conditions_are_refused_by_name(loop: Changing) -> None:
    with pytest.raises(UnsupportedError, match=r"'loop' \(Loop\): the condition of its body depends"):
        load_onnx(loop.proto())


class Scripted(torch.nn.Module):
    """Turns while the state changes by more than 1e-4."""

    def __init__(self) -> None:
        super().__init__()
        self.outer, self.head = torch.nn.Linear(3, 5), torch.nn.Linear(5, 2)
        self.inner = torch.nn.Linear(5, 5, bias=False)
        self.inner.weight.data = contracting(5, 0.6, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The head of the last turn."""
        u = self.outer(x)
        z, going = torch.zeros_like(u), True
        while going:
            new = torch.tanh(self.inner(z) + u)
            going = bool((new - z).abs().max() > 1e-4)
            z = new
        return self.head(z)  # type: ignore[no-any-return]


def test_a_scripted_module_that_loops_is_read() -> None:
    model = load_torch(torch.jit.script(Scripted().eval()), torch.zeros(1, 3))
    assert model.network.implicit


def test_executions_and_proofs_are_refused_by_name() -> None:
    model = load_onnx(Changing().proto())
    with pytest.raises(UnsupportedError, match="accepted are, over the reals, turns that contract"):
        turn_by_turn(model)
    with pytest.raises(UnsupportedError, match="accepted are, over the reals, turns that contract"):
        load_onnx(Changing().proto(), execution=Execution("float32", "onnxruntime"))
