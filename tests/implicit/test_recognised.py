"""Chains that are read as fixed points: bounds contain what their turns compute; others stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from genbab.bounds import Engine
from genbab.bounds.methods import node_intervals
from genbab.config import Config
from genbab.network import Network, evaluate
from genbab.network.interval import propagate
from genbab.reader.implicit import fixed_points
from genbab.reader.implicit.remainder import Remainder
from tests.implicit.networks import MODULES, Equilibrium, MeanField, Splitting, loaded, seeded

WIDTHS = (0.0, 1e-9, 0.05, 1.0)


def samples(centre: Tensor, width: float) -> Tensor:
    """Points of the box around the centre, corners among them."""
    part = 2 * torch.rand(400, centre.shape[-1], generator=torch.Generator().manual_seed(3)).double() - 1
    part[:100] = part[:100].sign()
    return centre + width * part


def outside(network: Network, plain: Network, centre: Tensor, width: float, method: str = "interval") -> int:
    """How many outputs of the file's turns, at points of the box, the network's bounds do not contain."""
    box = centre - width, centre + width
    engine = Engine.of(network, Config(), torch.device("cpu"), lambda: None)
    low, high = node_intervals(engine, box, method, 3)[network.output]
    found = evaluate(plain, samples(centre, width))
    slack = 1e-13 * (1 + found.abs())
    return int(((found < low - slack) | (found > high + slack)).sum())


@pytest.mark.parametrize("name", MODULES)
def test_turns_become_a_fixed_point_whose_bounds_contain_what_they_compute(name: str) -> None:
    model, plain = loaded(seeded(MODULES[name]))
    assert model.network.implicit
    assert len(model.network.nodes) < len(plain.nodes) / 2
    centre = torch.randn(1, 3, generator=torch.Generator().manual_seed(1)).double()
    for width in WIDTHS:
        assert not outside(model.network, plain, centre, width), width
    for method in ("forward", "backward", "optimised"):
        assert not outside(model.network, plain, centre, 0.1, method), method


SLOW: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: Equilibrium(0.97, 9, torch.relu),
    "tanh": lambda: Equilibrium(0.97, 9),
    "damped": lambda: Equilibrium(0.9, 9, damped=0.3),
    "splitting": lambda: Splitting(9, monotone=0.1),
    "mean field": lambda: MeanField(9, False),
    "mean field at once": lambda: MeanField(9, True),
}
"""Far from their fixed points after their last turn."""


def far(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Network, Network]:
    """(a network that is read as a fixed point however far it is from it, the same turn by turn)."""
    plain = loaded(seeded(SLOW[name]))[1]
    monkeypatch.setattr(fixed_points, "NEAR", float("inf"))
    monkeypatch.setattr(fixed_points, "TURNS", 5)
    network = fixed_points.with_fixed_points(plain)
    assert network.implicit
    return network, plain


@pytest.mark.parametrize("name", SLOW)
def test_what_is_missing_after_few_turns_is_accounted_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, plain = far(name, monkeypatch)
    for seed in range(4):
        centre = 2 * torch.randn(1, 3, generator=torch.Generator().manual_seed(seed)).double()
        for width in (0.0, 0.3, 3.0):
            assert not outside(network, plain, centre, width), (seed, width)


def test_a_remainder_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    network, plain = far("relu", monkeypatch)
    whole = Remainder.__call__
    monkeypatch.setattr(Remainder, "__call__", lambda self, intervals: 0.01 * whole(self, intervals))
    centres = 2 * torch.randn(6, 1, 3, generator=torch.Generator().manual_seed(0)).double()
    assert any(outside(network, plain, centre, 0.0) for centre in centres)


@pytest.mark.parametrize("norm", [1.0, 1.0 + 1e-12, 1.5, 4.0])
def test_turns_that_do_not_contract_stay_turns(norm: float) -> None:
    module = cast(Equilibrium, seeded(lambda: Equilibrium(norm, 12)))
    module.matrix = norm * torch.eye(6)  # two stable fixed points and more, where norm > 1
    model, plain = loaded(module)
    assert not model.network.implicit
    centre = torch.zeros(1, 3).double()
    assert not outside(model.network, plain, centre, 0.5)


def test_few_turns_and_turns_far_from_their_fixed_point_stay_turns() -> None:
    for make in (lambda: Equilibrium(0.3, 4), lambda: Equilibrium(0.97, 12, torch.relu)):
        assert not loaded(seeded(make))[0].network.implicit


def test_numbers_of_a_turn_that_others_read_end_the_chain() -> None:
    class Trace(Equilibrium):
        """Its tenth turn is an output, too."""

        def forward(self, x: Tensor) -> Tensor:
            u = self.inner(x)
            z = middle = torch.zeros_like(u)
            for turn in range(self.turns):
                z = self.f(z @ self.matrix.T + u)
                middle = z if turn == 9 else middle
            return cast(Tensor, self.head(z + middle))

    model, plain = loaded(seeded(lambda: Trace(0.2, 25)))
    assert model.network.implicit
    assert not outside(model.network, plain, torch.ones(1, 3).double(), 0.2)


def test_another_function_of_the_last_turn_is_not_that_of_the_turns() -> None:
    class Damped(Equilibrium):
        """Applies its function to its state, too, which in a turn only what is added to has."""

        def forward(self, x: Tensor) -> Tensor:
            return self.f(self.first(x))

        def first(self, x: Tensor) -> Tensor:
            u = self.inner(x)
            z = torch.zeros_like(u)
            for _ in range(self.turns):
                z = 0.5 * z + 0.5 * self.f(z @ self.matrix.T + u)
            return z

    model, plain = loaded(seeded(lambda: Damped(0.3, 14)))
    assert model.network.implicit
    assert not outside(model.network, plain, torch.ones(1, 3).double(), 0.0)


def test_bounds_at_a_point_are_as_narrow_as_the_turns_are_near() -> None:
    model, plain = loaded(seeded(MODULES["mean field"]))
    x = torch.ones(1, 3).double()
    low, high = propagate(model.network, (x, x))[model.network.output]
    assert bool((high - low < 1e-6).all())
    assert bool(torch.isclose(evaluate(plain, x), (low + high) / 2, atol=1e-6).all())
