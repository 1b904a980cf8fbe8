"""Networks that say what of an image is noise."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import digits
from zoo.family import Family, Recipe, Task, stays_within


def noisy(room: float = 0.3) -> Task:
    """Images of digits in [-1, 1] and a level of noise; how much noise they have is asked about."""
    task = digits(8)
    inputs, unseen = (
        torch.cat([2 * x - 1, torch.full((len(x), 1), 0.4)], 1) for x in (task.inputs, task.unseen)
    )
    return dataclasses.replace(
        task,
        asked=f"the change of the noise found in a pixel, at most {room:g}",
        inputs=inputs,
        unseen=unseen,
        targets=task.targets,
        loss=noise_missed,
        claim=stays_within(room),
        clip=(-1.0, 1.0),
    )


def noise_missed(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """The squared error of the noise found in images with noise of random levels."""
    level, noise = torch.rand(len(x), 1), torch.randn(len(x), x.shape[1] - 1)
    image = torch.sqrt(1 - level**2) * x[:, :-1] + level * noise
    return functional.mse_loss(model(torch.cat([image, level], 1)), noise)


class Block(nn.Module):
    """A convolution, a norm over groups, what the level says to each channel, SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.norm, self.level = nn.GroupNorm(2, outputs), nn.Linear(4, outputs)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return functional.silu(self.norm(self.conv(x)) + self.level(level)[:, :, None, None])


class UNet(nn.Module):
    """Down by two and up again, with a shortcut across; the level of the noise enters as waves."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.enter, self.down = Block(1, width), Block(width, 2 * width, 2)
        self.up, self.leave = Block(3 * width, width), nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        image, level = x[:, :-1].reshape(-1, 1, 8, 8), x[:, -1:]
        waves = torch.cat([f(k * level) for k in (1, 4) for f in (torch.sin, torch.cos)], 1)
        fine = self.enter(image, waves)
        coarse = functional.interpolate(self.down(fine, waves), scale_factor=2.0)
        noise: Tensor = self.leave(self.up(torch.cat([fine, coarse], 1), waves))
        return noise.flatten(1)


FAMILIES = (
    Family(
        "unet_denoiser",
        "U-Net that finds noise (diffusion)",
        "Ho, Jain and Abbeel, Denoising diffusion probabilistic models, NeurIPS 2020 (arXiv 2006.11239)",
        UNet,
        noisy,
        Recipe(steps=1500, rate=1e-2, decay=1e-4, noise=0.0),
    ),
)
