"""Small random networks of one function, and what torch says of their derivatives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

SMOOTH: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "leaky relu": nn.LeakyReLU,
}


class Sine(nn.Module):
    """sin and exp of a layer, multiplied."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x) * torch.exp(0.5 * x.flip(-1))


class Attentive(nn.Module):
    """A softmax of products, layer normalisation, a convolution and what joins them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 12), nn.Linear(12, 2)
        self.norm, self.conv = nn.LayerNorm(12), nn.Conv1d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x)).reshape(-1, 3, 4)
        mixed = torch.softmax(h @ h.mT, -1) @ self.conv(h)
        out: Tensor = self.last(self.norm(mixed.reshape(-1, 12)))
        return out


def layers(
    activation: Callable[[], nn.Module], seed: int = 0, sizes: tuple[int, ...] = (2, 6, 6, 2)
) -> nn.Module:
    """Linear layers with an activation in between."""
    torch.manual_seed(seed)
    made: list[nn.Module] = []
    for n, m in zip(sizes, sizes[1:], strict=False):
        made += [nn.Linear(n, m), activation()]
    return nn.Sequential(*made[:-1])


def jacobian(module: nn.Module, x: Tensor) -> Tensor:
    """The Jacobian (O, D) at x (D,), by torch in float64."""
    double = module.double()
    found: Tensor = torch.autograd.functional.jacobian(lambda z: double(z[None])[0], x)  # type: ignore[no-untyped-call]
    module.float()
    return found


def bends(module: nn.Module, x: Tensor) -> Tensor:
    """∂²y_i/∂x_j² (O, D) at x (D,), by torch in float64."""
    double = module.double()
    count = double(x[None]).shape[1]
    rows = [
        torch.autograd.functional.hessian(lambda z, i=i: double(z[None])[0, i], x).diagonal()  # type: ignore[no-untyped-call]
        for i in range(count)
    ]
    module.float()
    return torch.stack(rows)
