"""Attention whose shares of the tokens come from something other than a softmax."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from zoo.attention.blocks import Attention, Transformer
from zoo.data import digits
from zoo.family import Family


class SoftplusAttention(Attention):
    """Shares softplus(s) / sum, sharpened to w^3 / sum: positive, add up to 1, without exponentials."""

    def weights(self, scores: Tensor) -> Tensor:
        """The sharpened shares."""
        positive = nn.functional.softplus(scores)
        share = positive / positive.sum(2, keepdim=True)
        sharp = share**3
        return sharp / sharp.sum(2, keepdim=True)


class PowerSoftmaxAttention(Attention):
    """Shares s^4 / (c + sum of s^4): polynomials and one division, as encrypted inference wants them."""

    def weights(self, scores: Tensor) -> Tensor:
        """The shares; they add up to less than 1."""
        power = (1 + scores) ** 4
        return power / (0.1 + power.sum(2, keepdim=True))


class KolmogorovArnoldAttention(Attention):
    """Rows of scores through learnt Fourier series to `rank` numbers, those through a matrix to shares."""

    def __init__(self, width: int, tokens: int = 8, rank: int = 4, waves: int = 2) -> None:
        super().__init__(width)
        self.waves = torch.arange(1, waves + 1)
        self.series = nn.Linear(2 * waves * tokens, rank)
        self.shares = nn.Linear(rank, tokens)

    def weights(self, scores: Tensor) -> Tensor:
        """The shares, of any sign."""
        angles = scores[..., None] * self.waves
        features = torch.cat([torch.cos(angles), torch.sin(angles)], -1)
        shares: Tensor = self.shares(self.series(features.flatten(2)))
        return shares


FAMILIES = (
    Family(
        "softplus_attention",
        "softplus attention with re-weighting",
        "Gao and Spratling, Softplus attention with re-weighting boosts length extrapolation in large "
        "language models, 2025 (arXiv 2501.13428)",
        functools.partial(Transformer, attention=SoftplusAttention),
        digits,
    ),
    Family(
        "power_softmax",
        "power-softmax",
        "Zimerman et al., Power-Softmax: towards secure LLM inference over encrypted data, 2024 "
        "(arXiv 2410.09457)",
        functools.partial(Transformer, attention=PowerSoftmaxAttention),
        digits,
    ),
    Family(
        "karat",
        "Fourier-KArAt (learnable attention)",
        "Maity et al., Kolmogorov-Arnold attention: is learnable attention better for vision transformers?, "
        "2025 (arXiv 2503.10632)",
        functools.partial(Transformer, attention=KolmogorovArnoldAttention),
        digits,
    ),
)
