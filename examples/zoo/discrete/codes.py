"""Networks that look codes up, or keep their largest features."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from zoo.discrete.sparse import SparseAutoencoder, images
from zoo.family import Family, Recipe


class VectorQuantised(nn.Module):
    """Four codes of two numbers, each replaced by the nearest in a codebook, between two linear parts."""

    price: Tensor | None = None

    def __init__(self, codes: int = 8, places: int = 4) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 2 * places))
        self.codebook = nn.Parameter(torch.randn(codes, 2) / codes)
        self.decode = nn.Sequential(nn.Linear(2 * places, 24), nn.ReLU(), nn.Linear(24, 16))

    def forward(self, x: Tensor) -> Tensor:
        z = self.encode(x).unflatten(1, (-1, 2))
        distance = ((z[:, :, None] - self.codebook) ** 2).sum(3)
        nearest = self.codebook[distance.argmin(2)]
        if not torch.onnx.is_in_onnx_export():  # gradients pass the codebook by; the two are drawn together
            self.price = ((nearest - z.detach()) ** 2).mean() + 0.25 * ((nearest.detach() - z) ** 2).mean()
            nearest = z + (nearest - z).detach()
        out: Tensor = self.decode(nearest.flatten(1))
        return out


class TopK(nn.Module):
    """The k largest entries of a row, with relu, in their places; 0 elsewhere."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        largest = torch.topk(x, self.k, 1)
        return torch.zeros_like(x).scatter(1, largest.indices, torch.relu(largest.values))


FAMILIES = (
    Family(
        "sparse_topk",
        "sparse autoencoder, TopK",
        "Gao et al., Scaling and evaluating sparse autoencoders, 2024 (arXiv 2406.04093)",
        lambda: SparseAutoencoder(TopK(3), 12),
        images,
        Recipe(steps=2000, rate=1e-2, decay=0.0, noise=0.0),
    ),
    Family(
        "vector_quantised",
        "vector quantisation (VQ-VAE)",
        "van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017",
        VectorQuantised,
        functools.partial(images, 0.1),
        Recipe(steps=2000, rate=1e-2, decay=0.0, noise=0.02),
    ),
)
