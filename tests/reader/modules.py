"""Small modules of torch of many architectures: what people bring, at sizes that a test can afford."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Made = tuple[nn.Module, tuple[Tensor, ...]]


class First(nn.Module):
    """The first of the tensors that a module returns, when it is given its input so many times."""

    def __init__(self, inner: nn.Module, copies: int = 1) -> None:
        super().__init__()
        self.inner, self.copies = inner, copies

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(*[x] * self.copies)[0]
        return out


class Vision(nn.Module):
    """Convolution, group normalisation, max pooling (3, 2, 1), a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(4, 2, 3, padding=1),
            nn.Flatten(),
            nn.Linear(8, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class SwiGLU(nn.Module):
    """W₂(silu(W₁x) · W₃x)."""

    def __init__(self, width: int = 4, hidden: int = 6) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return out


class PolyReLU(nn.Module):
    """Σ aᵢ relu(x)ⁱ for i = 0..3 (arXiv 2411.03884)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.4, -0.3, 0.5]))
        self.bias = nn.Parameter(torch.tensor([0.1]))

    def forward(self, x: Tensor) -> Tensor:
        r = F.relu(x)
        w = self.weight
        return w[0] * r.pow(3) + w[1] * r.pow(2) + w[2] * r + self.bias


class PolyNorm(nn.Module):
    """Σ aᵢ xⁱ / rms(xⁱ) + b for i = 1..3 (arXiv 2411.03884)."""

    def __init__(self, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.4, -0.3, 0.5]))
        self.bias = nn.Parameter(torch.tensor([0.1]))
        self.eps = eps

    def _norm(self, x: Tensor) -> Tensor:
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        powers = w[0] * self._norm(x**3) + w[1] * self._norm(x**2) + w[2] * self._norm(x)
        return powers + self.bias


class CausalRotary(nn.Module):
    """Causal self-attention of two heads with rotary position embeddings."""

    def __init__(self, width: int = 8, heads: int = 2, length: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        half = width // heads // 2
        angles = torch.outer(torch.arange(length).float(), 10000 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([angles.sin()] * 2, -1))

    def _rotated(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
        return x * cos + torch.cat([-second, first], -1) * sin

    def forward(self, x: Tensor) -> Tensor:
        b, t, width = x.shape
        split = (b, t, self.heads, width // self.heads)
        q, k, v = (part.reshape(split).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(self._rotated(q), self._rotated(k), v, is_causal=True)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(b, t, width))
        return out


class MaskedAttention(nn.Module):
    """Attention written out by hand, with a causal mask filled in by `masked_fill`."""

    def __init__(self, width: int = 4, length: int = 3) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(self.q.in_features)
        weights = scores.masked_fill(self.get_buffer("mask"), float("-inf")).softmax(-1)
        out: Tensor = weights @ self.v(x)
        return out


class SoftplusAttention(nn.Module):
    """Attention whose weights are softplus of the scores, divided by their sum."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        scores = F.softplus(self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(self.q.in_features))
        out: Tensor = (scores / scores.sum(-1, keepdim=True)) @ self.v(x)
        return out


class KANLinear(nn.Module):
    """Σ over inputs of a SiLU and a B-spline, with coefficients per edge, as efficient-kan has it."""

    def __init__(self, inputs: int, outputs: int, cells: int = 2, order: int = 2) -> None:
        super().__init__()
        step = 2.0 / cells
        grid = torch.arange(-order, cells + order + 1) * step - 1.0
        self.register_buffer("grid", grid.expand(inputs, -1).contiguous())
        self.order = order
        self.base_weight = nn.Parameter(torch.randn(outputs, inputs) * 0.5)
        self.spline_weight = nn.Parameter(torch.randn(outputs, inputs, cells + order) * 0.5)

    def _splines(self, x: Tensor) -> Tensor:
        grid, x = self.get_buffer("grid"), x.unsqueeze(-1)
        bases = ((x >= grid[:, :-1]) & (x < grid[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x - grid[:, : -(k + 1)]) / (grid[:, k:-1] - grid[:, : -(k + 1)]) * bases[:, :, :-1]
            right = (grid[:, k + 1 :] - x) / (grid[:, k + 1 :] - grid[:, 1:-k]) * bases[:, :, 1:]
            bases = left + right
        return bases

    def forward(self, x: Tensor) -> Tensor:
        base = F.linear(F.silu(x), self.base_weight)
        return base + F.linear(self._splines(x).flatten(1), self.spline_weight.flatten(1))


class CATS(nn.Module):
    """A gated MLP whose gate is set to zero where |silu| is below a threshold (arXiv 2404.08763)."""

    def __init__(self, width: int = 4, hidden: int = 6, threshold: float = 0.1) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down, self.threshold = nn.Linear(hidden, width, bias=False), threshold

    def forward(self, x: Tensor) -> Tensor:
        v = F.silu(self.gate(x))
        kept = torch.where(v.abs() >= self.threshold, v, torch.zeros_like(v))
        out: Tensor = self.down(kept * self.up(x))
        return out


class EvoNormS0(nn.Module):
    """x · σ(v x) / √(variance of the group + ε) · γ + β (EvoNorm-S0)."""

    def __init__(self, channels: int = 4, groups: int = 2) -> None:
        super().__init__()
        shape = (1, channels, 1, 1)
        self.v, self.gamma = (nn.Parameter(1 + 0.3 * torch.randn(shape)) for _ in range(2))
        self.beta, self.groups = nn.Parameter(0.3 * torch.randn(shape)), groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        grouped = x.reshape(n, self.groups, c // self.groups, h, w)
        variance = grouped.var(dim=(2, 3, 4), keepdim=True, unbiased=False)
        spread = torch.sqrt(variance + 1e-5).expand_as(grouped).reshape(n, c, h, w)
        return x * torch.sigmoid(self.v * x) / spread * self.gamma + self.beta


class Quadratic(nn.Module):
    """(W₁x + b₁) · (W₂x + b₂) + W₃(x · x) + c: quadratic neurons."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.r, self.g, self.b = (nn.Linear(inputs, outputs) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.r(x) * self.g(x) + self.b(x * x)
        return out


def _encoder(activation: str, norm_first: bool) -> nn.Module:
    return nn.TransformerEncoderLayer(
        8, 2, 8, dropout=0.1, activation=activation, batch_first=True, norm_first=norm_first
    )


ZOO: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "multihead attention": (lambda: First(nn.MultiheadAttention(8, 2, batch_first=True), 3), (1, 3, 8)),
    "encoder gelu": (lambda: _encoder("gelu", False), (1, 2, 8)),
    "encoder relu": (lambda: _encoder("relu", False), (1, 2, 8)),
    "encoder gelu, norm first": (lambda: _encoder("gelu", True), (1, 2, 8)),
    "encoder relu, norm first": (lambda: _encoder("relu", True), (1, 2, 8)),
    "lstm": (lambda: First(nn.LSTM(4, 5, batch_first=True)), (1, 3, 4)),
    "gru": (lambda: First(nn.GRU(4, 5, batch_first=True)), (1, 3, 4)),
    "rnn": (lambda: First(nn.RNN(4, 5, batch_first=True)), (1, 3, 4)),
    "lstm, two layers, both ways": (
        lambda: First(nn.LSTM(3, 4, num_layers=2, bidirectional=True)),
        (2, 2, 3),
    ),
    "vision": (Vision, (1, 1, 4, 4)),
    "swiglu": (SwiGLU, (1, 2, 4)),
    "polyrelu": (lambda: nn.Sequential(nn.Linear(4, 6), PolyReLU(), nn.Linear(6, 3)), (1, 4)),
    "polynorm": (lambda: nn.Sequential(nn.Linear(4, 6), PolyNorm(), nn.Linear(6, 3)), (1, 4)),
    "causal rotary attention": (CausalRotary, (1, 3, 8)),
    "masked attention": (MaskedAttention, (1, 3, 4)),
    "softplus attention": (SoftplusAttention, (1, 3, 4)),
    "kan": (lambda: nn.Sequential(KANLinear(2, 3), KANLinear(3, 2)), (1, 2)),
    "cats": (CATS, (1, 4)),
    "evonorm": (EvoNormS0, (1, 4, 2, 2)),
    "quadratic neurons": (lambda: nn.Sequential(Quadratic(4, 6), nn.ReLU(), Quadratic(6, 3)), (1, 4)),
}
"""name -> (how to make the module, the shape of its input)."""


def made(name: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """The module of this name in evaluation mode, and a point in the middle of its inputs."""
    state: Any = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        build, shape = ZOO[name]
        return build().eval(), 0.7 * torch.randn(shape)
    finally:
        torch.random.set_rng_state(state)
