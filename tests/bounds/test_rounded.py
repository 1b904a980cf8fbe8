"""A search with coarse products: near the map it stands for, and bounds that hold as always."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import genbab
from genbab.bounds import Engine, Question, Steps, Tightening, answer, certify, cheap_forms, tighten_all
from genbab.config import Config
from genbab.network import Affine, LinearMap, rounded
from genbab.network.computed.rounded import Rounded
from tests.bounds.samples import assert_below, boxes, samples, some_rows
from tests.network.test_maps import MAPS
from tests.soundness.graphs import random_network
from tests.test_driver import random_spec, tiny

EXAMPLES = Path(__file__).parents[2] / "examples"
CPU = torch.device("cpu")
COARSE = 2.0**-7
"""Operands and results are each rounded by at most 2^-9 of themselves, in up to two maps in turn."""


@pytest.mark.parametrize("one", MAPS.values(), ids=MAPS)
def test_a_rounded_map_is_near_the_map(one: LinearMap) -> None:
    one = one.to(torch.float32, CPU)
    coarse = Rounded(one, one.to(torch.bfloat16, CPU), torch.bfloat16)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2, 3, one.in_size, generator=generator, requires_grad=True)
    a = torch.randn(2, 3, one.out_size, generator=generator, requires_grad=True)
    for argument, found, wanted, size in (
        (x, coarse.apply(x), one.apply(x), one.absolute().apply(x.abs())),
        (a, coarse.pull(a), one.pull(a), one.absolute().pull(a.abs())),
    ):
        assert found.dtype == argument.dtype and found.shape == wanted.shape
        assert bool(((found - wanted).abs() <= 2 * COARSE * size).all())
        if found.numel() and one.in_size > 3:
            (slope,) = torch.autograd.grad(found.sum(), argument)
            (exact,) = torch.autograd.grad(wanted.sum(), argument)
            torch.testing.assert_close(slope, exact, rtol=0.05, atol=0.05)
    assert (coarse.in_size, coarse.out_size, coarse.cost, coarse.terms) == (
        one.in_size,
        one.out_size,
        one.cost,
        one.terms,
    )
    assert torch.equal(coarse.dense(), one.dense())
    assert torch.equal(coarse.absolute().dense(), one.absolute().dense())


def test_the_setting_reaches_products_of_the_search_alone() -> None:
    network = random_network(4, inputs=3, depth=2)
    engine = Engine.of(network, Config(search_products="bfloat16"), CPU, lambda: None)
    kinds = {
        name: [type(m) for n in which.nodes if isinstance(n, Affine) for _, m in n.terms]
        for name, which in (("exact", engine.exact), ("search", engine.search))
    }
    assert Rounded not in kinds["exact"]
    assert Rounded in kinds["search"]
    assert engine.dtype == torch.float32
    plain = Engine.of(network, Config(), CPU, lambda: None)
    assert not any(
        isinstance(m, Rounded) for n in plain.search.nodes if isinstance(n, Affine) for _, m in n.terms
    )


@pytest.mark.parametrize("seed", range(1, 13))
def test_bounds_lie_below_what_is_reached(seed: int) -> None:
    batch = 1 + seed % 3
    network = random_network(seed, inputs=1 + seed % 4, depth=1 + seed % 3)
    box, rows = boxes(seed, network.input_size, batch), some_rows(network, seed, batch)
    engine = Engine(network, rounded(network.to(torch.float32, CPU), torch.bfloat16), 1 << 28)
    intervals, linear = cheap_forms(engine, box)
    relaxations = tighten_all(engine, box, intervals, Tightening(Steps(2)), linear)
    known = answer(engine, Question(rows, box, relaxations), Steps(4))
    found = certify(relaxations.exact, rows, box, known.certificate.starts)
    assert torch.equal(found.bound, known.bound)
    assert_below(found, rows, network, samples(box, 400, seed), box)


@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_nothing_false_is_proved(mode: str) -> None:
    config = Config.from_text(
        {"timeout": "0.5", "branching": mode, "attack_restarts": "0", "search_products": "bfloat16"}
    )
    proved = 0
    for seed in range(6):
        model, network = tiny(seed % 4)
        spec, violated = random_spec(seed, network)
        result = genbab.verify(model, spec, config)
        proved += result.verdict == "verified"
        assert not (violated and result.verdict == "verified"), seed
    assert proved


@pytest.mark.parametrize(("word", "verdict"), (("holds", "verified"), ("violated", "falsified")))
def test_an_example_gets_its_verdict(word: str, verdict: str) -> None:
    paths = EXAMPLES / "onnx/digits_gelu.onnx", EXAMPLES / f"vnnlib/digits_gelu_{word}.vnnlib"
    assert genbab.verify(*paths, Config(timeout=60.0, search_products="bfloat16")).verdict == verdict
