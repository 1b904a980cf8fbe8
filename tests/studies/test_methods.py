"""Bounds by the names people know, of rows of the outputs, and as linear functions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import genbab
from genbab import UsageError
from genbab.api import METHODS
from genbab.bounds.methods import SYNONYMS, method_named
from genbab.reader import Model

C = torch.tensor([[1.0, -1.0, 0.0], [0.5, 0.25, -2.0]])


def setting() -> tuple[Model, Tensor, Tensor, Tensor, Tensor]:
    """A model, two boxes, and points in them with the model's outputs (B, P, ...)."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 6), nn.Sigmoid(), nn.Linear(6, 3)).eval()
    centre = torch.randn(2, 4)
    low, high = centre - 0.3, centre + 0.5
    x = low[:, None] + (high - low)[:, None] * torch.rand(2, 3000, 4)
    x[:, :500] = torch.where(torch.rand(2, 500, 4) < 0.5, low[:, None], high[:, None])
    y = net.double()(x.double()).detach()
    return genbab.load(net.float(), torch.zeros(1, 4)), low, high, x.double(), y


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batched", [False, True])
def test_rows_and_linear_functions_hold(method: str, batched: bool) -> None:
    model, low, high, x, y = setting()
    rows = torch.stack([C, -2 * C]) if batched else C
    values = y @ rows.double().mT
    lower, upper, linear = genbab.output_bounds(model, low, high, method, C=rows, return_linear=True)
    assert lower.shape == upper.shape == (2, 2)
    assert (lower <= values.amin(1) + 1e-6).all() and (values.amax(1) - 1e-6 <= upper).all()
    below = x @ linear.lower_matrix.mT + linear.lower_constant[:, None]
    above = x @ linear.upper_matrix.mT + linear.upper_constant[:, None]
    assert (below <= values + 1e-6).all() and (values <= above + 1e-6).all()
    assert torch.isfinite(lower).all() and (lower < upper).all()


def test_without_rows_the_outputs_are_bounded() -> None:
    model, low, high, _, y = setting()
    widths = {}
    for method in METHODS:
        lower, upper = genbab.output_bounds(model, low, high, method)
        assert (lower <= y.amin(1) + 1e-6).all() and (y.amax(1) <= upper + 1e-6).all()
        widths[method] = float((upper - lower).mean())
    assert (
        widths["optimised"]
        <= widths["backward"] + 1e-9
        <= widths["crown-ibp"] + 2e-9
        <= widths["interval"] + 3e-9
    )


def test_names_known_from_elsewhere() -> None:
    assert [method_named(n) for n in ("IBP", "CROWN", "alpha-CROWN", "CROWN-IBP", "Forward+Backward")] == [
        "interval",
        "backward",
        "optimised",
        "crown-ibp",
        "crown-forward",
    ]
    assert set(SYNONYMS.values()) <= set(METHODS)
    with pytest.raises(UsageError, match="did you mean"):
        method_named("CRWON")


@pytest.mark.parametrize("rows", [[[1.0, 2.0]], torch.zeros(3, 1, 3), [[float("nan"), 0, 0]], "rows"])
def test_rows_that_do_not_fit_are_refused(rows: object) -> None:
    model, low, high, *_ = setting()
    with pytest.raises(UsageError, match="^C"):
        genbab.output_bounds(model, low, high, C=rows)
