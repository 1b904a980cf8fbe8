"""The parts: boxes and rows of specifications, splits, samples, what the checker makes of integers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from genbab.attack.integers import gridded
from genbab.branch import bisect, root_domains
from genbab.branch.bound.inputs import choose_input
from genbab.branch.open.domains import cut_inputs
from genbab.check.model.whole import Whole
from genbab.errors import SpecError
from genbab.network import Affine, Dense, Input, Network, Nonlinear, WholeInputs
from genbab.network.exactly import without_rounding
from genbab.network.interval import propagate
from genbab.nonlinear import make
from genbab.nonlinear.composed.defined import defined
from genbab.problem import Query, queries
from genbab.specs import Clause, Spec, of_whole_outputs, on_whole_numbers

D, K = 3, 6
WHOLE = np.array([True, False, True])
LOW, HIGH = np.array([-3.0, -np.inf, 0.0]), np.array([3.0, np.inf, 4.0])


def random_spec(random: np.random.Generator) -> Spec:
    """Boxes of three inputs with one clause each, some of them narrower than 1, with open ends."""
    lower = random.integers(-8, 5, (K, D)) / 2 + random.choice([0.0, 0.25], (K, D))
    upper = lower + random.integers(0, 9, (K, D)) / 2
    row, rhs = random.integers(-2, 3, (K, 1, 1)).astype(float), random.integers(-8, 9, (K, 1)) / 2
    pairs = zip(row, rhs, random.random(K) < 0.5, strict=True)
    clauses = tuple(Clause(k, a, None, b, np.array([s])) for k, (a, b, s) in enumerate(pairs))
    wide = lower < upper
    flags = ((random.random((K, D)) < 0.3) & wide for _ in range(2))
    return Spec(lower, upper, clauses, 1, (), (), (), (), (), None, (), *flags)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_keep_all_points_of_integers_and_no_others(seed: int) -> None:
    random = np.random.default_rng(seed)
    spec = random_spec(random)
    cut = on_whole_numbers(spec, WHOLE, LOW, HIGH)
    assert (cut.lower[:, WHOLE] == np.rint(cut.lower[:, WHOLE])).all()
    assert (cut.lower[:, WHOLE] >= LOW[WHOLE]).all() and (cut.upper[:, WHOLE] <= HIGH[WHOLE]).all()
    known = 0
    for a, b, c in itertools.product(range(-6, 7), np.arange(-12, 13) / 4, range(-6, 7)):
        x = np.array([a, b, c])
        inside = bool(((LOW <= x) & (x <= HIGH))[WHOLE].all())
        for y in (-1.0, 0.5):
            was, now = spec.violation(x, [y]), cut.violation(x, [y])
            assert (now is not None) == (was is not None and inside), (x, y)
            known += now is not None
    assert known > 10


def test_boxes_without_integers_are_left_out_with_their_clauses() -> None:
    lower, upper = np.array([[0.25], [0.5], [2.0]]), np.array([[0.75], [1.5], [2.0]])
    row, rhs = np.ones((1, 1)), np.zeros(1)
    spec = Spec(lower, upper, tuple(Clause(k, row, None, rhs) for k in (0, 1, 2, 0)), 1)
    limits = np.full(1, -9.0), np.full(1, 9.0)
    cut = on_whole_numbers(spec, np.ones(1, bool), *limits)
    assert [c.box for c in cut.clauses] == [0, 1] and cut.lower.ravel().tolist() == [1.0, 2.0]
    none = Spec(lower[:1], upper[:1], (Clause(0, row, None, rhs),), 1)
    assert on_whole_numbers(none, np.ones(1, bool), *limits).vacuous


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_integer_outputs_say_the_same_of_integers(seed: int) -> None:
    random = np.random.default_rng(seed)
    spec = random_spec(random)
    moved = of_whole_outputs(spec, np.ones(1, bool))
    assert moved.clauses != spec.clauses
    for box in range(K):
        x = np.clip((spec.lower[box] + spec.upper[box]) / 2, *(end[box] for end in spec.inner))
        for y in range(-9, 10):
            assert moved.violation(x, [y]) == spec.violation(x, [y])
    same = of_whole_outputs(spec, np.zeros(1, bool))
    assert same.violation(spec.lower[0], [0.25]) == spec.violation(spec.lower[0], [0.25])


def entry(size: int, columns: list[int]) -> Input:
    """An input of which these columns are integers."""
    far = torch.full((len(columns),), 1e6, dtype=torch.float64)
    return Input(size, whole=WholeInputs(torch.tensor(columns), -far, far))


def test_splits_tile_the_integers_down_to_single_ones() -> None:
    """No integer is lost or in both children, and a box of one integer has no split."""
    whole = entry(2, [0, 1])
    box = torch.tensor([[-3.0, 2.0]]).double(), torch.tensor([[5.0, 4.0]]).double()
    ones = torch.ones(1, 1, 2, dtype=torch.float64)
    query = Query(*box, ones, None, torch.zeros(1, 1).double(), torch.zeros(1, 1).long())
    open_, leaves = [root_domains(query, torch.full((1, 1), -1.0).double())], []
    while open_:
        one = open_.pop()
        splits = choose_input(one, torch.full((1, 1), -1.0).double(), ones, None, whole)
        if int(splits.node[0]) < 0:
            leaves.append(tuple(one.query.lower[0].tolist()))
            assert bool((one.query.lower == one.query.upper).all())
            continue
        children = cut_inputs(bisect(type(one)(one.query, one.bound, one.depth, splits)), whole)
        open_ += [children.take(torch.tensor([k])) for k in (0, 1)]
    assert sorted(leaves) == sorted(itertools.product(map(float, range(-3, 6)), (2.0, 3.0, 4.0)))


def test_queries_about_other_integers_are_an_error() -> None:
    node = Affine(((0, Dense(torch.ones(1, 1).double())),), torch.zeros(1).double())
    far = torch.full((1,), 10.0).double()
    network = Network((Input(1, whole=WholeInputs(torch.tensor([0]), -far, far)), node), 1)
    clause = Clause(0, np.ones((1, 1)), None, np.zeros(1))
    for low, high, good in ((0.0, 3.0, True), (0.5, 3.0, False), (0.0, 11.0, False)):
        spec = Spec(np.array([[low]]), np.array([[high]]), (clause,), 1)
        if good:
            assert len(queries(spec, network, torch.device("cpu"))) == 1
            continue
        with pytest.raises(SpecError, match="read for other integers"):
            queries(spec, network, torch.device("cpu"))


def test_few_choices_are_all_among_the_samples() -> None:
    whole = entry(3, [0, 2]).whole
    assert whole is not None
    low = torch.tensor([[[0.0, 0.0, -1.0]], [[0.0, 0.0, 0.0]]])
    high = torch.tensor([[[4.0, 1.0, 2.0]], [[900.0, 1.0, 900.0]]])
    x = torch.rand(2, 25, 3)
    made = gridded(whole, low, high, x)
    assert {tuple(p) for p in made[0][:, [0, 2]].tolist()} == set(itertools.product(range(5), range(-1, 3)))
    assert torch.equal(made[..., 1], x[..., 1]) and torch.equal(made[1], x[1])


def test_nearest_integers_let_gradients_pass() -> None:
    x = torch.tensor([[0.3, 0.3], [1e6 + 0.4, 7.5]], requires_grad=True)
    near = entry(2, [0]).nearest(x)
    assert near[:, 0].tolist() == [0.0, 1e6] and near[:, 1].tolist() == x[:, 1].tolist()
    near.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_the_checker_cuts_boxes_in_the_same_way() -> None:
    random = np.random.default_rng(3)
    whole = Whole(WHOLE, LOW, HIGH, np.zeros(D, bool))
    spec = random_spec(random)
    low, high = whole.cut(spec.lower, spec.upper)
    for k in range(K):
        for x in itertools.product(range(-6, 7), (float(spec.lower[k, 1]),), range(-6, 7)):
            point: Any = np.array(x)
            inside = (spec.lower[k] <= point) & (point <= spec.upper[k]) & (point >= LOW) & (point <= HIGH)
            assert bool(inside.all()) == bool(((low[k] <= point) & (point <= high[k])).all())


def test_sums_that_are_called_exact_are_so() -> None:
    """Against rational numbers; many of few digits are, those of many digits are not."""
    random, exact, seen = np.random.default_rng(5), 0, 0
    for t in range(300):
        n, m = (int(k) for k in random.integers(1, 5, 2))
        w = random.normal(size=(m, n)).astype(np.float32 if t % 3 else np.float64).astype(float)
        b, x = random.normal(size=m).astype(np.float32), random.integers(-300, 300, (3, n)) * 0.25
        node = Affine(((0, Dense(torch.from_numpy(w))),), torch.from_numpy(b).double())
        value, sure = without_rounding(node, [torch.from_numpy(x)])
        for k in np.flatnonzero(sure.numpy()):
            for i in range(m):
                terms = (Fraction(v) * Fraction(p) for v, p in zip(w[i].tolist(), x[k].tolist(), strict=True))
                assert sum(terms, Fraction(float(b[i]))) == Fraction(float(value[k, i]))
        exact, seen = exact + int(sure.sum()), seen + len(sure)
    assert 0.3 * seen < exact < 0.8 * seen


@pytest.mark.parametrize("name", ["relu", "abs", "floor", "ceil", "round", "sign", "step", "positive"])
def test_what_is_not_rounded_at_points_is_exact(name: str) -> None:
    """A function after an exact sum, at its kinks and jumps, too; staircases also between two of them."""
    one = Affine(((0, Dense(torch.full((1, 1), 0.5).double())),), torch.zeros(1).double())
    network = Network((Input(1), one, Nonlinear(make(name), (1,), 1)), 2)
    x = torch.arange(-9, 10, dtype=torch.float64)[:, None]
    low, high = propagate(network, (x, x), exact=True)[2]
    torch.testing.assert_close(low, make(name).value(x / 2), rtol=0, atol=0)
    torch.testing.assert_close(high, low, rtol=0, atol=0)
    ends = propagate(network, (x[:-1], x[1:]), exact=True)[2]
    for share in (0.0, 0.01, 0.5, 0.99, 1.0):
        value = make(name).value((x[:-1] + share) / 2)
        assert bool(((ends[0] <= value) & (value <= ends[1])).all())


def test_what_is_undefined_in_between_is_never_known() -> None:
    """1/x has values at both ends of [-1, 1], and none at 0."""
    network = Network((Input(1), Nonlinear(defined(make("reciprocal")), (0,), 1)), 1)
    end = torch.ones(1, 1, dtype=torch.float64)
    low, high = propagate(network, (-end, end), exact=True)[1]
    assert not bool(torch.isfinite(low).all()) and not bool(torch.isfinite(high).all())
