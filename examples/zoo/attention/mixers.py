"""Blocks of transformers in which something other than attention mixes the tokens."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.attention.blocks import Transformer
from zoo.data import digits
from zoo.family import Family


class PoolBlock(nn.Module):
    """x + (mean of the neighbours - x) of the normed x, then a feed-forward part; x is (B, width, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.GroupNorm(1, width), nn.GroupNorm(1, width)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.feed = nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1))
        self.scale = nn.Parameter(torch.full((2, width, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.first(x)
        x = x + self.scale[0] * (self.pool(normed) - normed)
        fed: Tensor = self.feed(self.second(x))
        return x + self.scale[1] * fed


class MixerBlock(nn.Module):
    """A feed-forward part along the tokens, then one along the channels; x is (B, width, h, w)."""

    def __init__(self, width: int, tokens: int = 16, hidden: int = 12) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.along = nn.Sequential(nn.Linear(tokens, hidden), nn.GELU(), nn.Linear(hidden, tokens))
        self.across = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.along(self.first(tokens).transpose(1, 2)).transpose(1, 2)
        tokens = tokens + self.across(self.second(tokens))
        return tokens.transpose(1, 2).reshape(x.shape)


class Retention(nn.Module):
    """(Q K' * D) V with D[t, s] = decay^(t - s) for s <= t, Q and K turned by place; norm and gate."""

    causal: Tensor
    cos: Tensor
    sin: Tensor

    def __init__(self, width: int, tokens: int = 4, decay: float = 0.75) -> None:
        super().__init__()
        self.width = width
        self.query, self.key, self.value, self.gate, self.leave = (
            nn.Linear(width, width, bias=False) for _ in range(5)
        )
        self.norm = nn.GroupNorm(2, width)
        gap = torch.arange(tokens)[:, None] - torch.arange(tokens)
        self.register_buffer("causal", torch.where(gap >= 0, decay**gap, torch.zeros(())))
        angle = torch.arange(tokens)[:, None] * 10.0 ** -torch.linspace(0, 1, width // 2)
        self.register_buffer("cos", torch.cos(angle).repeat(1, 2))
        self.register_buffer("sin", torch.sin(angle).repeat(1, 2))

    def turned(self, x: Tensor) -> Tensor:
        """Pairs of channels rotated by the place of the token, (B, T, width)."""
        one, two = x.chunk(2, 2)
        return x * self.cos + torch.cat([-two, one], 2) * self.sin

    def forward(self, x: Tensor) -> Tensor:
        scores = self.turned(self.query(x)) @ self.turned(self.key(x)).transpose(1, 2) / self.width**0.5
        mixed = scores * self.causal @ self.value(x)
        normed = self.norm(mixed.flatten(0, 1)).reshape(mixed.shape)
        out: Tensor = self.leave(functional.silu(self.gate(x)) * normed)
        return out


def on_patches(block: Callable[[int], nn.Module], width: int = 6) -> nn.Module:
    """Patches of 2 x 2 pixels as tokens, one block, the mean of the tokens, a head."""
    parts = (nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, width, 2, 2), block(width), nn.GroupNorm(1, width))
    return nn.Sequential(*parts, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10))


FAMILIES = (
    Family(
        "poolformer",
        "PoolFormer",
        "Yu et al., MetaFormer is actually what you need for vision, CVPR 2022 (arXiv 2111.11418)",
        functools.partial(on_patches, PoolBlock),
        digits,
    ),
    Family(
        "mlp_mixer",
        "MLP-Mixer",
        "Tolstikhin et al., MLP-Mixer: an all-MLP architecture for vision, NeurIPS 2021 (arXiv 2105.01601)",
        functools.partial(on_patches, MixerBlock),
        digits,
    ),
    Family(
        "retention",
        "retention (RetNet)",
        "Sun et al., Retentive network: a successor to transformer, 2023 (arXiv 2307.08621)",
        functools.partial(Transformer, nn.GELU, Retention),
        functools.partial(digits, 4),
    ),
)
