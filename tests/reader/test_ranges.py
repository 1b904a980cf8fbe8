"""What is said of nodes for all inputs holds for all inputs, and maps read what they are said to read."""

from __future__ import annotations

from fractions import Fraction

import onnx
import pytest
import torch

from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Conv,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Nonlinear,
    TokenDense,
    values,
)
from genbab.network.interval import propagate
from genbab.network.maps.signs import image
from genbab.network.maps.structure import read_by
from genbab.nonlinear import make
from genbab.reader import load_onnx
from genbab.reader.domains.domains import with_domains
from genbab.reader.domains.ranges import ranges
from tests.soundness.graphs import random_network


@pytest.mark.parametrize("seed", range(40))
def test_ranges_hold_everywhere(seed: int) -> None:
    network = random_network(seed)
    found = ranges(network, set(range(len(network.nodes))))
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(400, network.input_size, generator=generator, dtype=torch.float64)
    x = x * torch.tensor([0.1, 1.0, 10.0, 100.0], dtype=torch.float64).repeat(100)[:, None]
    for i, value in enumerate(values(network, x)):
        low, high = found[i]
        known = torch.isfinite(value)
        size = 1e-9 * (1.0 + value.abs())
        assert bool(((value >= low - size) | ~known).all()), network.name(i)
        assert bool(((value <= high + size) | ~known).all()), network.name(i)


def test_sums_of_what_is_above_zero_are_above_zero() -> None:
    from genbab.network import Input, Network, Nonlinear
    from genbab.nonlinear import make

    ones, mixed = torch.ones(1, 2).double(), torch.tensor([[1.0, -1.0]]).double()
    nodes = (
        Input(2),
        Nonlinear(make("exp"), (0,), 2),
        Affine(((1, Dense(ones)),), torch.zeros(1).double()),
        Affine(((1, Dense(-ones)),), torch.zeros(1).double()),
        Affine(((1, Dense(mixed)),), torch.ones(1).double()),
        Nonlinear(make("reciprocal"), (2,), 1),
        Affine(((1, Dense(ones)), (0, Dense(0.0 * ones))), torch.zeros(1).double()),
    )
    found = ranges(Network(nodes, 6), set(range(7)))
    assert [bool(found[i][0].min() > 0) for i in range(7)] == [False, True, True, False, False, True, True]
    assert bool(found[3][1].max() < 0)


MAPS: dict[str, LinearMap] = {
    "dense": Dense(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]).double()),
    "diagonal": Diagonal(torch.tensor([0.0, 1.0, 2.0]).double()),
    "identity": Identity(3),
    "index": Index(torch.tensor([2, -1, 0, 0]), 3),
    "sum": Adjoint(Index(torch.tensor([0, 1, 0]), 2)),
    "tokens": TokenDense(torch.zeros(1, 2, 3).double(), 1, 2),
    "convolution": Conv(torch.zeros(1, 1, 2).double(), (1, 4), (1, 3), (1,), (0,), (1,), 1),
    "transposed": Adjoint(Conv(torch.zeros(1, 1, 2).double(), (1, 4), (1, 3), (1,), (0,), (1,), 1)),
    "chain": Compose((Index(torch.tensor([1, 0]), 2), Diagonal(torch.zeros(2).double()))),
}
READ = {
    "dense": [[0, 1], [0, 1], [0, 1]],
    "diagonal": [[0], [1], [2]],
    "identity": [[0], [1], [2]],
    "index": [[2], [], [0], [0]],
    "sum": [[0, 2], [1]],
    "tokens": [[0, 1]] * 3 + [[2, 3]] * 3,
    "convolution": [[0, 1], [1, 2], [2, 3]],
    "transposed": [[0], [0, 1], [1, 2], [2]],
    "chain": [[1], [0]],
}


@pytest.mark.parametrize("name", MAPS)
def test_what_is_read_does_not_depend_on_weights(name: str) -> None:
    one = MAPS[name]
    read = read_by(one, torch.eye(one.out_size, dtype=torch.bool))
    assert [row.nonzero().reshape(-1).tolist() for row in read] == READ[name]


def test_a_large_weight_hides_no_small_one_of_the_other_sign() -> None:
    """Sums of both signs lose the smaller numbers; what may be below 0 then must not count as above it."""
    low, high = torch.tensor([0.0, 0.0]).double(), torch.tensor([torch.inf, 1.0]).double()
    for wide in (1.0, 1e17, 1e40):
        for signs in ((1.0, -1.0), (-1.0, 1.0)):
            weight = torch.tensor([[wide, 1.0]], dtype=torch.float64) * torch.tensor([signs]).double()
            made = image(Dense(weight), low, high)
            assert bool(made.falls[0]) and bool(made.rises[0])
            finite = made.least if signs[1] < 0 else made.most
            assert float(finite[0]) == signs[1]


@pytest.mark.parametrize("seed", range(20))
def test_images_hold_whatever_the_ends_and_weights_are(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        wide = 10.0 ** torch.randint(-20, 20, shape, generator=generator).double()
        return wide * torch.randn(*shape, dtype=torch.float64, generator=generator)

    conv = Conv(random(2, 1, 3), (1, 8), (2, 6), (1,), (0,), (1,), 1)
    chain = Compose((Dense(random(8, 6)), Diagonal(random(8)), conv, Adjoint(Dense(random(12, 5)))))
    for one in (Dense(random(3, 6)), TokenDense(random(1, 3, 2), 1, 2), Adjoint(Dense(random(6, 4))), chain):
        x = random(6)
        low, high = torch.minimum(x, random(6)), torch.maximum(x, random(6))
        free = torch.rand(2, 6, generator=generator) < 0.3
        low, high = low.masked_fill(free[0], -torch.inf), high.masked_fill(free[1], torch.inf)
        made, exact = image(one, low, high), [Fraction(v) for v in x.tolist()]
        for part in one.parts:
            rows = part.dense().tolist()
            exact = [
                sum((Fraction(w) * v for w, v in zip(row, exact, strict=True)), Fraction(0)) for row in rows
            ]
        for j, value in enumerate(exact):
            room = Fraction(1, 10**12) * Fraction(float(made.mass[j]))
            assert made.least[j] == -torch.inf or Fraction(float(made.least[j])) - room <= value
            assert made.most[j] == torch.inf or value <= Fraction(float(made.most[j])) + room
            assert bool(made.falls[j]) or value >= 0
            assert bool(made.rises[j]) or value <= 0


def test_sums_beyond_float64_bound_nothing_that_they_do_not() -> None:
    large, weight = (
        torch.full((2,), 1e307, dtype=torch.float64),
        torch.tensor([[100.0, 100.0], [100.0, -100.0]]),
    )
    made = image(Dense(weight.double()), large, 11.0 * large)
    assert made.most.tolist() == [torch.inf] * 2  # 2.2e310 and 1e310
    assert bool(torch.isfinite(made.least[0])) and float(made.least[1]) == -torch.inf


def test_an_argument_that_may_be_below_zero_is_not_taken_to_be_above() -> None:
    """0 · √(1e20·relu(a) - sigmoid(b)) + 1 has no value where a <= 0, so nothing is proved of it."""
    body = """g (float[1,2] x) => (float[1,1] y)
        <float[2,1] w = {1e20, -1.0}, float[1,1] zero = {0.0}, float[1,1] one = {1.0}, int64[2] two = {1, 1}>
        { a, b = Split <axis=1> (x, two)  r = Relu(a)  s = Sigmoid(b)  c = Concat <axis=1> (r, s)
          z = MatMul(c, w)  q = Sqrt(z)  k = Mul(q, zero)  y = Add(k, one) }"""
    network = load_onnx(onnx.helper.make_model(onnx.parser.parse_graph(body)), check=False).network
    low, high = torch.tensor([[-1.0, -1.0]]).double(), torch.tensor([[-0.5, 1.0]]).double()
    (bound, _) = propagate(network, (low, high))[network.output]
    assert float(bound[0, 0]) == -torch.inf


def one_by_one(*weights: float) -> LinearMap:
    return Compose(tuple(Dense(torch.tensor([[w]], dtype=torch.float64)) for w in weights))


@pytest.mark.parametrize("seen", (2, 3))
@pytest.mark.parametrize(
    "maps",
    [
        one_by_one(1e200, 1e-200, 1e200, 1e-200),
        Compose(
            (
                Dense(torch.tensor([[1e300], [1.0]], dtype=torch.float64)),
                Dense(torch.tensor([[0.0, 1.0]], dtype=torch.float64)),
            )
        ),
    ],
    ids=["gain", "mass"],
)
def test_what_leaves_the_range_of_numbers_keeps_its_domain(maps: LinearMap, seen: int) -> None:
    """log(map(sigmoid(x)) - 5 + 1) has a value nowhere, however the map is computed."""
    zero = torch.zeros(1, dtype=torch.float64)
    nodes = (
        Input(1),
        Nonlinear(make("sigmoid"), (0,), 1),
        Affine(((1, maps),), zero - 5.0),
        Affine(((2, Identity(1)),), zero + 1.0),
        Nonlinear(make("log"), (seen,), 1),
        Affine(((4, Identity(1)),), zero),
    )
    network = Network(nodes, 5)
    low, high = ranges(network, {seen})[seen]
    assert float(low) <= -4.0 + (3 - seen) * -1.0 + 1e-6 and float(high) >= -3.0 - (3 - seen) - 1e-6
    assert len(with_domains(network, {}).nodes) > len(nodes)
