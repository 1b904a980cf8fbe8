"""Neurons that are quadratic in their inputs."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.data import cancer
from zoo.family import Family


class QuadraticLayer(nn.Module):
    """(A x + a) * (B x + b) + C x^2 + c: the second kind of neuron, with three sets of weights each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second, self.squares = (nn.Linear(inputs, outputs) for _ in range(3))
        nn.init.zeros_(self.second.weight)  # starts as a usual layer
        nn.init.ones_(self.second.bias)
        nn.init.zeros_(self.squares.weight)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = self.first(x) * self.second(x) + self.squares(x**2)
        return product


def network() -> nn.Module:
    """Two hidden layers of quadratic neurons, with relu after each."""
    return nn.Sequential(
        QuadraticLayer(30, 16), nn.ReLU(), QuadraticLayer(16, 12), nn.ReLU(), QuadraticLayer(12, 2)
    )


FAMILIES = (
    Family(
        "quadratic_neurons",
        "quadratic neurons",
        "Fan, Cong and Wang, A new type of neurons for machine learning, 2018 (arXiv 1704.08362)",
        network,
        cancer,
    ),
)
