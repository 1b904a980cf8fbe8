"""Every operator, alone and in a small network: it loads, agrees with onnxruntime, its bounds are sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from genbab import Config
from genbab.network import Network, evaluate
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader import Model, load_onnx
from genbab.reader.convert.control import CONTROL
from genbab.reader.lower import LOWERINGS, MOVES
from genbab.reader.lower.table import HOW
from tests.reader.cases import Case, by_operator, every_case

from .graphs import extremes

api = pytest.importorskip("genbab.api", reason="the bounds are not there yet")

METHODS = ("interval", "forward", "backward", "optimised")
SETTINGS = Config(root_steps=3)
CASES = every_case()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_alone(case: Case) -> None:
    examine(case, case.model())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_inside_a_network(case: Case) -> None:
    examine(case, case.composed())


def examine(case: Case, proto: ModelProto) -> None:
    """The model loads and agrees; its bounds are finite and contain what is seen."""
    model = load_onnx(proto, check=not case.reference)
    assert model.notes == (), "the self-check compared nothing"
    low, high = box(model.network, case)
    if case.reference:
        agree(model, proto, low, high)
    seen = reached(model.network, low, high)
    slack = 1e-9 * (1 + seen.abs())
    for method in METHODS:
        lower, upper = (b.reshape(-1) for b in api.bounds(model.network, low, high, method, SETTINGS))
        assert not bool((lower.isnan() | upper.isnan()).any()), method
        assert case.loose or bool((torch.isfinite(lower) & torch.isfinite(upper)).all()), (
            f"{method}: no bounds"
        )
        outside = torch.maximum(lower - seen - slack, seen - upper - slack)
        assert float(outside.amax()) <= 0, method


def reached(network: Network, low: Tensor, high: Tensor) -> Tensor:
    """Outputs (M, O) at sampled points; where outputs are few, along gradient walks too."""
    if network.output_size <= 32:
        return extremes(network, low, high, 4)
    weight = torch.rand(256, low.shape[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return evaluate(network, low + weight.round(decimals=1) * (high - low))


def box(network: Network, case: Case) -> tuple[Tensor, Tensor]:
    """A box within the case's range: most inputs over the whole of it, some over a part, one fixed."""
    random = np.random.default_rng(0)
    ends = np.sort(random.random((2, network.input_size)), axis=0)
    ends[:, random.random(network.input_size) < 0.4] = np.array([[0.0], [1.0]])
    ends[1, 0] = ends[0, 0]
    low, high = (torch.from_numpy((case.low + (case.high - case.low) * e).astype(np.float32)) for e in ends)
    return low.double(), high.double()


def agree(model: Model, proto: ModelProto, low: Tensor, high: Tensor) -> None:
    """The network gives what onnx's reference implementation gives, at a few points of the box."""
    reference = ReferenceEvaluator(proto)
    for share in (0.0, 0.3, 1.0):
        x = torch.lerp(low, high, share)
        parts = torch.split(x, [int(np.prod(s)) for s in model.input_shapes])
        feeds = {
            n: p.float().numpy().reshape(s)
            for n, p, s in zip(model.input_names, parts, model.input_shapes, strict=True)
        }
        wanted = np.concatenate([np.asarray(o, np.float64).ravel() for o in reference.run(None, feeds)])
        assert np.allclose(evaluate(model.network, x).numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_every_operator_has_a_case_and_a_description() -> None:
    known = {*LOWERINGS, *MOVES, *CONTROL, *(kind for domain, kind in OPERATORS if not domain)}
    refused = {kind for kind in known if HOW.get(kind) == "refused"}
    assert known - refused - set(by_operator()) == set()
    assert [k for k in (*LOWERINGS, *MOVES) if not HOW[k]] == []
