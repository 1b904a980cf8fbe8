"""What a family of the zoo is: a module, its source, the data it is fitted to, and what is claimed of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Claim:
    """`rows @ y < limits` for the outputs y of one sample; S rows, O outputs."""

    words: str  # finishes "when no input changes by more than eps, ..."
    rows: Tensor  # (S, O)
    limits: Tensor  # (S,)

    def room(self, outputs: Tensor) -> Tensor:
        """By how much each row keeps its limit, (n, S) for outputs (n, O): above 0 where it is true."""
        return self.limits.to(outputs) - outputs @ self.rows.to(outputs).T


@dataclass(frozen=True)
class Task:
    """Data, the loss that a module is fitted with, and the claim about the neighbourhood of a sample."""

    about: str  # the data, for the page
    asked: str  # the quantity that is attacked, for the page
    inputs: Tensor  # (n, D) float32, to fit
    targets: Tensor  # (n, ...)
    unseen: Tensor  # (m, D), whose neighbourhoods are asked about
    truths: Tensor  # (m, ...)
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    claim: Callable[[Tensor, Tensor], Claim]  # of the outputs (O,) at a sample, and its truth
    clip: tuple[float, float]  # the least and greatest value of an input

    @property
    def size(self) -> int:
        """The number of inputs, D."""
        return int(self.inputs.shape[1])


@dataclass(frozen=True)
class Recipe:
    """How a module is fitted: Adam with a falling rate on batches with Gaussian noise on the inputs."""

    steps: int = 800
    batch: int = 128
    rate: float = 5e-3
    decay: float = 1e-2
    noise: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class Family:
    """One network of the zoo; `name` is the name of its files."""

    name: str
    title: str
    source: str
    build: Callable[[], nn.Module]
    task: Callable[[], Task]
    recipe: Recipe = field(default_factory=Recipe)
    note: str = ""  # for the page: why something is as it is


def cross_entropy(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
    """The loss of a classifier."""
    return nn.functional.cross_entropy(model(x), label)


def squared_error(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The loss of a regression."""
    return nn.functional.mse_loss(model(x), target)


def keeps_class(outputs: Tensor, label: Tensor) -> Claim:
    """The class `label` stays ahead of every other."""
    others = [i for i in range(len(outputs)) if i != int(label)]
    identity = torch.eye(len(outputs))
    return Claim(
        f"class {int(label)} stays ahead", identity[others] - identity[int(label)], torch.zeros(len(others))
    )


def stays_within(room: float) -> Callable[[Tensor, Tensor], Claim]:
    """Claims that every output stays within `room` of its value at the sample."""

    def claim(outputs: Tensor, _: Tensor) -> Claim:
        identity = torch.eye(len(outputs))
        limits = torch.cat([outputs + room, room - outputs])
        return Claim(f"no output changes by {room:g}", torch.cat([identity, -identity]), limits)

    return claim
