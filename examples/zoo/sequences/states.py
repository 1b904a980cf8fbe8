"""State space models: a linear recurrence, fixed or chosen by the input, between gates."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import digits
from zoo.family import Family, Recipe


class S4D(nn.Module):
    """A diagonal state space as a convolution, GELU, a gated linear unit, a shortcut; x is (B, T, width).

    The filter is 2 Re(C (e^(dt A) - 1) / A e^(dt A t)) with A = -decay + i turn, in real arithmetic.
    """

    def __init__(self, width: int, states: int = 4) -> None:
        super().__init__()
        self.log_step = nn.Parameter(torch.linspace(-3, -1, width)[:, None])
        self.log_decay = nn.Parameter(torch.full((width, states), 0.5).log())
        self.turn = nn.Parameter((torch.pi * torch.arange(states)).repeat(width, 1))
        self.read = nn.Parameter(torch.randn(2, width, states) / states**0.5)
        self.direct = nn.Parameter(torch.randn(width, 1))
        self.mix = nn.Linear(width, 2 * width)

    def filter(self, length: int) -> Tensor:
        """The response to an impulse after 0, 1, ... steps, (width, length)."""
        step, decay = self.log_step.exp(), self.log_decay.exp()
        grow, angle = torch.exp(-decay * step), self.turn * step
        real, imag = grow * torch.cos(angle) - 1, grow * torch.sin(angle)
        square = decay**2 + self.turn**2
        real, imag = (self.turn * imag - decay * real) / square, -(decay * imag + self.turn * real) / square
        real, imag = self.read[0] * real - self.read[1] * imag, self.read[0] * imag + self.read[1] * real
        time = torch.arange(length, dtype=real.dtype)[:, None, None]
        waves = torch.exp(-decay * step * time)
        kept = real * waves * torch.cos(angle * time) - imag * waves * torch.sin(angle * time)
        return 2 * kept.sum(2).T

    def forward(self, x: Tensor) -> Tensor:
        u, length = x.transpose(1, 2), x.shape[1]
        past = functional.pad(u, (length - 1, 0))
        y = functional.conv1d(past, self.filter(length).flip(1)[:, None], groups=u.shape[1])
        y = functional.gelu(y + self.direct * u).transpose(1, 2)
        return x + functional.glu(self.mix(y), 2)


class SelectiveSSM(nn.Module):
    """A Mamba block: h' = e^(dt A) h + dt B x, y = C h + D x with dt, B, C chosen by x, between gates."""

    def __init__(self, width: int, inner: int, states: int = 2, taps: int = 2) -> None:
        super().__init__()
        self.taps = taps
        self.enter = nn.Linear(width, 2 * inner)
        self.filter = nn.Conv1d(inner, inner, taps, groups=inner)
        self.select = nn.Linear(inner, 2 * states)
        self.step = nn.Linear(inner, inner)
        self.log_decay = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(inner, 1))
        self.direct = nn.Parameter(torch.ones(inner))
        self.leave = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        u, gate = self.enter(x).chunk(2, 2)
        past = functional.pad(u.transpose(1, 2), (self.taps - 1, 0))
        u = functional.silu(self.filter(past)).transpose(1, 2)
        write, read = self.select(u).chunk(2, 2)
        dt, state, out = functional.softplus(self.step(u)), torch.zeros_like(self.log_decay), []
        for step in range(x.shape[1]):
            keep = torch.exp(-dt[:, step, :, None] * torch.exp(self.log_decay))
            state = keep * state + (dt * u)[:, step, :, None] * write[:, step, None]
            out.append((state * read[:, step, None]).sum(2))
        y = torch.stack(out, 1) + self.direct * u
        left: Tensor = self.leave(y * functional.silu(gate))
        return x + left


class Reader(nn.Module):
    """Rows of an image as steps, a layer, the mean over time, a head."""

    def __init__(self, layer: nn.Module, steps: int, pixels: int, width: int) -> None:
        super().__init__()
        self.steps, self.embed, self.layer = steps, nn.Linear(pixels, width), layer
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.layer(self.embed(x.reshape(len(x), self.steps, -1)))
        scores: Tensor = self.head(mixed.mean(1))
        return scores


FAMILIES = (
    Family(
        "s4d",
        "S4 (diagonal) with GELU and a gated linear unit",
        "Gu et al., On the parameterization and initialization of diagonal state space models, NeurIPS 2022",
        lambda: Reader(S4D(12), 8, 8, 12),
        digits,
        Recipe(rate=1e-2),
    ),
    Family(
        "selective_ssm",
        "selective state space model (Mamba)",
        "Gu and Dao, Mamba: linear-time sequence modeling with selective state spaces, arXiv 2312.00752",
        lambda: Reader(SelectiveSSM(4, 6), 4, 4, 4),
        functools.partial(digits, 4),
        Recipe(steps=2000, rate=1e-2),
    ),
)
