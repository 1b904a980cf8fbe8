"""Modules of torch by both of its exporters: they load, agree with onnxruntime and with the module, have
sound bounds, and one property of each is verified and one falsified.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from genbab import Config, Verdict, output_bounds, verify
from genbab.network import evaluate
from genbab.reader import Model, load_torch
from genbab.specs import Spec
from genbab.specs.form.clauses import Clause

from .modules import ZOO, made

EXPORTERS = ("torchscript", "dynamo")
RADIUS = 0.02

both = pytest.mark.parametrize("exporter", EXPORTERS)
every = pytest.mark.parametrize("name", ZOO)


@cache
def loaded(name: str, exporter: str) -> tuple[Model, Tensor]:
    """The model, checked against onnxruntime, and the middle of its inputs (D,)."""
    module, x = made(name)
    model = load_torch(module, x, exporters=(exporter,))
    assert model.notes == (), "the self-check compared nothing"
    return model, x.reshape(-1).double()


@cache
def reached(name: str) -> Tensor:
    """Outputs (P, O) of the module itself, in double precision: random points and corners of its box, and the
    corners that the gradients of the outputs point to."""
    module, x = made(name)
    module, x = module.double(), x.double()
    random = torch.Generator().manual_seed(0)
    offsets = 2 * torch.rand(200, *x.shape, generator=random, dtype=torch.float64) - 1
    points = [x + RADIUS * o for o in torch.cat([offsets, offsets.sign()])]
    start = x.clone().requires_grad_()
    out = module(start).reshape(-1)
    for y in out:
        (slope,) = torch.autograd.grad(y, start, retain_graph=True)
        points += [x - RADIUS * slope.sign(), x + RADIUS * slope.sign()]
    with torch.no_grad():
        return torch.stack([module(p).reshape(-1) for p in points])


@both
@every
def test_bounds_hold_what_the_module_reaches(name: str, exporter: str) -> None:
    model, centre = loaded(name, exporter)
    seen = reached(name)
    for method in ("interval", "backward"):
        low, high = output_bounds(model, centre - RADIUS, centre + RADIUS, method=method)
        slack = 1e-6 * (1 + seen.abs())  # the weights are float32 numbers, the module is evaluated in float64
        assert bool((low <= seen + slack).all() and (seen <= high + slack).all()), method
        assert bool(torch.isfinite(high - low).all()), method


@every
def test_these_bounds_say_something(name: str) -> None:
    """One backward pass: at most eight times as wide as what is reached, for the output that varies most."""
    model, centre = loaded(name, "torchscript")
    seen = reached(name)
    low, high = output_bounds(model, centre - RADIUS, centre + RADIUS, method="backward")
    assert float((high - low).amax()) <= 8 * float((seen.amax(0) - seen.amin(0)).amax())


@both
@every
def test_one_property_is_verified_and_one_falsified(name: str, exporter: str) -> None:
    """The output that varies most must stay above a number: below all that is reached, and in its midst."""
    model, centre = loaded(name, exporter)
    seen = reached(name)
    spread = seen.amax(0) - seen.amin(0)
    which = int(spread.argmax())
    lowest, width = float(seen[:, which].min()), float(spread[which])
    row = np.zeros((1, seen.shape[1]))
    row[0, which] = 1.0
    box = [(centre + side * RADIUS).numpy()[None] for side in (-1, 1)]
    for threshold, expected in (
        (lowest - 0.3 * width, Verdict.VERIFIED),
        (lowest + 0.3 * width, Verdict.FALSIFIED),
    ):
        spec = Spec(box[0], box[1], (Clause(0, row, None, np.array([threshold])),), seen.shape[1])
        assert verify(model, spec, Config(timeout=60)).verdict is expected


@every
def test_both_exporters_mean_the_same(name: str) -> None:
    (one, centre), (other, _) = (loaded(name, exporter) for exporter in EXPORTERS)
    x = centre + torch.randn(20, len(centre), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(evaluate(one.network, x), evaluate(other.network, x), rtol=1e-4, atol=1e-5)
