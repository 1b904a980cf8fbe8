"""Modules that are not ready are refused, and looking at one leaves it as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import genbab
from genbab import ModelError, UsageError

X = torch.ones(1, 4)


class Dropped(nn.Module):
    """Dropout as a function: no layer tells of it."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(x.tanh(), 0.5, self.training)


class Counting(nn.Module):
    """Counts its calls, in place or not, and does not use the number."""

    calls: Tensor

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.in_place:
            self.calls += 1
        else:
            self.calls = self.calls + 1
        return x.tanh()


def test_a_mode_that_matters_is_noticed_without_its_layer() -> None:
    module = Dropped()
    seed = torch.random.get_rng_state()
    with pytest.raises(UsageError, match=r"training mode.*model.eval\(\)"):
        genbab.load(module, X)
    assert module.training and torch.equal(torch.random.get_rng_state(), seed)
    assert genbab.load(module.eval(), X).functions == {"tanh": 4}


def test_a_mode_that_does_not_matter_is_no_reason() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.0), nn.Tanh()).train()
    assert genbab.load(module, X).functions == {"tanh": 2}
    assert module.training and module[1].training


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_buffers_stay_as_they_were(in_place: bool, training: bool) -> None:
    module = Counting(in_place).train(training)
    before = module.calls
    genbab.load(module, X)
    assert module.calls is before and float(before) == 0.0


def test_looking_at_buffers_does_not_count_as_changing_them() -> None:
    with torch.inference_mode():
        made = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)).eval()
    genbab.load(made, X)  # its buffers cannot be written here
    module = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2), nn.Tanh()).eval()
    pending = module(X).sum()
    genbab.load(module, X)
    pending.backward()
    assert module[0].weight.grad is not None


def test_weights_without_a_shape_stay_without() -> None:
    module = nn.Sequential(nn.LazyLinear(3)).eval()
    with pytest.raises(UsageError, match="call the module once"):
        genbab.load(module, X)
    assert isinstance(module[0].weight, nn.UninitializedParameter)


def test_modules_of_torchscript_are_read() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.Tanh()).eval()
    for one in (torch.jit.script(module), torch.jit.trace(module, X)):  # type: ignore[no-untyped-call]
        assert genbab.load(one, X).functions == {"tanh": 2}


def test_a_symbolic_batch_of_an_exported_program_becomes_one() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.Tanh()).eval()
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(module, (torch.ones(5, 4),), dynamic_shapes=(batch,))
    assert genbab.load(program).input_shapes == ((1, 4),)


def test_a_refused_export_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if x.sum() > 0 else x.tanh()

    for module, x in ((Branches().eval(), X), (nn.Linear(4, 2).eval(), torch.ones(1, 3))):
        with pytest.raises(ModelError, match="cannot export"):
            genbab.load(module, x)
    assert tuple(capfd.readouterr()) == ("", "")


def test_float64_without_a_kernel_says_what_to_do() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.GELU()).double().eval()
    with pytest.raises(ModelError, match=r"lacks this operator for float64.*module\.float\(\)"):
        genbab.load(module, X.double())
