"""What transformers of the zoo share: tokens, attention of one head, a block."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """softmax(q k' / sqrt(d)) v over the tokens, one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def scores(self, x: Tensor) -> Tensor:
        """How much each token (B, T, width) has to do with each other, (B, T, T)."""
        scores: Tensor = self.query(x) @ self.key(x).transpose(1, 2) / self.width**0.5
        return scores

    def weights(self, scores: Tensor) -> Tensor:
        """The shares of the tokens in each."""
        return torch.softmax(scores, 2)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.weights(self.scores(x)) @ self.value(x)
        return mixed


class Transformer(nn.Module):
    """A block on the rows of an image: attention and a feed-forward part, with shortcuts; then a head."""

    def __init__(
        self,
        activation: Callable[[], nn.Module] = nn.GELU,
        attention: Callable[[int], nn.Module] = Attention,
        width: int = 8,
        tokens: int = 8,
        pixels: int = 8,
    ) -> None:
        super().__init__()
        self.tokens, self.pixels = tokens, pixels
        self.embed = nn.Linear(pixels, width)
        self.place = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.attention = attention(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), activation(), nn.Linear(2 * width, width))
        self.head = nn.Linear(tokens * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.reshape(-1, self.tokens, self.pixels)) + self.place
        x = x + self.attention(x)
        x = x + self.feed(x)
        scores: Tensor = self.head(x.flatten(1))
        return scores
