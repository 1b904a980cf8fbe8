"""Train a physics-informed network on Burgers' equation and write it as ONNX, for `derivatives.py`.

    python benchmarks/pinn.py OUT.onnx [--seconds 180] [--width 20] [--layers 3] [--seed 0]

u_t + u·u_x = (0.01/π)·u_xx on x in [-1, 1], t in [0, 1], u(x, 0) = -sin(πx), u(±1, t) = 0 (Raissi, Perdikaris
and Karniadakis, Physics-informed neural networks, 2019, A.1). In float64: Adam, then L-BFGS.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
import warnings

import torch
from torch import Tensor, nn

VISCOSITY = 0.01 / math.pi


def network(layers: int, width: int) -> nn.Sequential:
    """(x, t) to u: hidden layers of tanh."""
    made: list[nn.Module] = []
    for n in [2] + [width] * (layers - 1):
        made += [nn.Linear(n, width), nn.Tanh()]
    model = nn.Sequential(*made, nn.Linear(width, 1)).double()
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def residual(model: nn.Module, points: Tensor) -> Tensor:
    """u_t + u·u_x - ν·u_xx at points (N, 2)."""
    x = points.requires_grad_(True)
    u = model(x)
    first = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    second = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)[0][:, 0]
    return first[:, 1] + u[:, 0] * first[:, 0] - VISCOSITY * second


def main(words: list[str] | None = None) -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", metavar="OUT.onnx")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--width", type=int, default=20)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    torch.manual_seed(given.seed)
    model = network(given.layers, given.width)
    end = time.monotonic() + given.seconds

    def drawn(count: int) -> tuple[Tensor, Tensor, Tensor]:
        inside = torch.rand(count, 2).double() * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0])
        start = torch.stack([torch.linspace(-1, 1, 201), torch.zeros(201)], 1).double()
        times = torch.linspace(0, 1, 101).double()
        edge = torch.cat([torch.stack([torch.full_like(times, side), times], 1) for side in (-1.0, 1.0)])
        return inside, start, edge

    def loss(points: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        inside, start, edge = points
        initial = model(start)[:, 0] + torch.sin(math.pi * start[:, 0])
        found = residual(model, inside.clone())
        return 0.1 * found.square().mean() + initial.square().mean() + model(edge).square().mean()

    def descend(optimiser: torch.optim.Optimizer, points: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        optimiser.zero_grad()
        value = loss(points)
        value.backward()
        return value

    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    while time.monotonic() < end - 0.7 * given.seconds:
        descend(adam, drawn(2000))
        adam.step()
    while time.monotonic() < end:
        points = drawn(4000)
        newton = torch.optim.LBFGS(
            model.parameters(), max_iter=100, history_size=50, line_search_fn="strong_wolfe"
        )

        newton.step(functools.partial(descend, newton, points))
    print(f"loss {float(loss(drawn(10000))):.3g}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.zeros(1, 2).double()
        torch.onnx.export(model, (x,), given.out, input_names=["x"], output_names=["u"], dynamo=False)


if __name__ == "__main__":
    main()
