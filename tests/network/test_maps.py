"""The laws of linear maps, for every kind."""

from __future__ import annotations

import pytest
import torch

from genbab.network import (
    Adjoint,
    Compose,
    Conv,
    Dense,
    Diagonal,
    Identity,
    Index,
    LinearMap,
    TokenDense,
    compose,
)
from genbab.network.maps.composition import gathered, scaled


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR)


GENERATOR = torch.Generator().manual_seed(3)
MOVE = Index(torch.tensor([2, -1, 0, 2, 1, -1]), 4)
PLACE = Index(torch.tensor([3, -1, 0, 2]), 5)
SLICE = Index(torch.arange(2, 5), 7)
IMAGE = Conv(random(4, 2, 3, 2), (4, 5, 6), (4, 3, 6), (2, 1), (1, 1), (1, 2), 2)

MAPS: dict[str, LinearMap] = {
    "identity": Identity(5),
    "dense": Dense(random(3, 5)),
    "diagonal": Diagonal(random(5)),
    "gather": MOVE,
    "placement": PLACE,
    "slice": SLICE,
    "everything dropped": Index(torch.tensor([-1, -1]), 3),
    "sum": Adjoint(MOVE),
    "conv1d": Conv(random(3, 2, 3), (2, 9), (3, 4), (2,), (0,), (1,), 1),
    "conv2d": IMAGE,
    "conv3d": Conv(random(2, 1, 2, 2, 2), (1, 3, 4, 3), (2, 2, 3, 2), (1, 1, 1), (0, 0, 0), (1, 1, 1), 1),
    "transposed conv": Adjoint(IMAGE),
    "tokens": TokenDense(random(1, 3, 4), 2, 5),
    "tokens in groups": TokenDense(random(2, 3, 4), 2, 5),
    "composition": Compose(
        (Dense(random(4, 3)), MOVE, Diagonal(random(6)), Adjoint(Index(torch.tensor([0, 1, 0, 1, 1, 0]), 2)))
    ),
}


@pytest.fixture(params=MAPS)
def one(request: pytest.FixtureRequest) -> LinearMap:
    return MAPS[request.param]


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_pull_is_the_adjoint(one: LinearMap, lead: tuple[int, ...]) -> None:
    x, a = random(*lead, one.in_size), random(*lead, one.out_size)
    y, vjp = torch.func.vjp(one.apply, x)[:2]
    assert y.shape == (*lead, one.out_size)
    assert torch.allclose(one.pull(a), vjp(a)[0])


def test_dense_agrees(one: LinearMap) -> None:
    x = random(4, one.in_size)
    assert one.dense().shape == (one.out_size, one.in_size)
    assert torch.allclose(x @ one.dense().mT, one.apply(x))


def test_absolute_dominates(one: LinearMap) -> None:
    size, matrix = one.absolute(), one.dense()
    assert bool((size.dense() >= matrix.abs() - 1e-12).all())
    if not isinstance(one, Compose):
        assert torch.allclose(size.dense(), matrix.abs())


def test_weights_by_sign_have_one_sign_and_add_up_to_the_map(one: LinearMap) -> None:
    for part in one.parts:
        above, below = part.by_sign()
        matrix = above.dense() if below is None else above.dense() - below.dense()
        assert torch.equal(matrix, part.dense())
        assert bool((above.dense() >= 0).all()) and (below is None or bool((below.dense() >= 0).all()))


def test_sums_of_one_number_each_are_gathers(one: LinearMap) -> None:
    for part in (one, Adjoint(PLACE), Adjoint(Index(torch.tensor([2, 0, 1]), 3))):
        x, found = random(part.in_size), gathered(part)
        assert torch.equal(found.apply(x), part.apply(x))
        assert isinstance(found, Index) or found is part
    assert isinstance(gathered(Adjoint(PLACE)), Index)


def test_terms_bound_the_number_of_products(one: LinearMap) -> None:
    filled = one.dense() != 0
    if filled.numel() and not isinstance(one, Identity):
        assert int(filled.sum(0).max()) <= max(one.terms, 1) and int(filled.sum(1).max()) <= max(one.terms, 1)


def test_another_dtype(one: LinearMap) -> None:
    single = one.to(torch.float32, torch.device("cpu"))
    x, a = random(one.in_size), random(one.out_size)
    assert single.apply(x.float()).dtype == torch.float32
    assert torch.allclose(single.apply(x.float()).double(), one.apply(x), atol=1e-4)
    assert torch.allclose(single.pull(a.float()).double(), one.pull(a), atol=1e-4)


def test_infinite_entries_that_are_not_gathered_leave_no_nan() -> None:
    x = torch.tensor([torch.inf, 1.0, 2.0, 3.0], dtype=torch.float64)
    assert MOVE.apply(x).tolist() == [2.0, 0.0, torch.inf, 2.0, 1.0, 0.0]


def test_index_maps_check_their_entries() -> None:
    for bad in ([-2, 0], [0, 4]):
        with pytest.raises(ValueError, match="entries must lie"):
            Index(torch.tensor(bad), 4)


def chain() -> list[LinearMap]:
    """Maps R^6 -> R^6 of every kind."""
    permutation = Index(torch.tensor([5, 3, 0, 1, 4, 2]), 6)
    holes = Index(torch.tensor([5, -1, 0, 1, -1, 2]), 6)
    repeats = Index(torch.tensor([1, 1, 0, 5, 5, 5]), 6)
    conv = Conv(random(2, 2, 3), (2, 3), (2, 3), (1,), (1,), (1,), 1)
    channels = Diagonal(torch.tensor([2.0] * 3 + [3.0] * 3, dtype=torch.float64))
    features = Diagonal(torch.tensor([2.0, 3.0] * 3, dtype=torch.float64))
    single: list[LinearMap] = [permutation, holes, repeats, conv, Dense(random(6, 6)), Diagonal(random(6))]
    single += [
        channels,
        features,
        Identity(6),
        TokenDense(random(1, 2, 2), 1, 3),
        TokenDense(random(3, 2, 2), 3, 1),
    ]
    return single + [Adjoint(m) for m in single if isinstance(m, Conv | Index)]


@pytest.mark.parametrize("first", range(len(chain())))
def test_compositions_are_exact(first: int) -> None:
    maps = chain()
    for then in maps:
        made = compose(then, maps[first])
        assert torch.allclose(made.dense(), then.dense() @ maps[first].dense())
        for last in maps:
            assert torch.allclose(compose(last, made).dense(), last.dense() @ made.dense())


def test_factors_move_into_weights() -> None:
    conv = Conv(random(4, 1, 3), (2, 5), (4, 3), (1,), (0,), (1,), 2)
    out = torch.arange(1.0, 5.0, dtype=torch.float64).repeat_interleave(3)
    joined, roundings = scaled(conv, out) or (conv, 9)
    assert roundings <= 1
    assert isinstance(joined, Conv) and torch.allclose(joined.dense(), conv.dense() * out[:, None])
    assert scaled(conv, random(12)) is None
    inside = torch.tensor([2.0, 5.0], dtype=torch.float64).repeat_interleave(5)
    spread = compose(Diagonal(inside), Adjoint(conv))
    assert isinstance(spread, Adjoint) and torch.allclose(spread.dense(), inside[:, None] * conv.dense().mT)
    before = compose(conv, Diagonal(inside))
    assert isinstance(before, Conv) and torch.allclose(before.dense(), conv.dense() * inside)


def test_moves_and_sums_stay_moves_and_sums() -> None:
    groups = Adjoint(Index(torch.tensor([0, 0, 1, 1, 2, 2]), 3))
    permutation = Index(torch.tensor([5, 3, 0, 1, 4, 2]), 6)
    pairs = Adjoint(Index(torch.tensor([0, 1, 0]), 2))
    assert isinstance(compose(groups, permutation), Adjoint)
    assert isinstance(compose(pairs, groups), Adjoint)
    inverse = permutation.inverse
    assert inverse is not None and isinstance(compose(inverse, permutation), Identity)
    ordered = compose(permutation, Diagonal(random(6)))
    assert isinstance(ordered, Compose) and isinstance(ordered.maps[0], Index)
