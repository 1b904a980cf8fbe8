"""Steps of an ascent: how many and how long, and Adam's averages (Kingma & Ba, 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.kernels import LEAST_SQUARE, Moments


@dataclass(frozen=True)
class Steps:
    """How slopes are optimised.

    count: number of steps; rate: the first, as a share of each slope's own range; decay: per step.
    """

    count: int = 20
    rate: float = 0.3
    decay: float = 0.9

    @staticmethod
    def of(count: int) -> Steps:
        """Steps whose rate falls to about 4 % of its first value by the end, however many there are."""
        return Steps(count, 0.3, 0.04 ** (1.0 / max(count, 1)))


class Adam:
    """First and second moments per tensor that is moved; the step is a share of the tensor's own scale."""

    def __init__(self, first: float = 0.4, second: float = 0.8) -> None:
        self.first, self.second = first, second
        self.step = 0
        self._moments: dict[tuple[int, int], Moments] = {}

    @property
    def correction(self) -> float:
        """What the averages of so few steps are to be multiplied with, in a direction."""
        return float((1 - self.second**self.step) ** 0.5 / (1 - self.first**self.step))

    def moments(self, key: tuple[int, int], like: Tensor) -> Moments:
        """The averages of a key's gradient and of its square, zeros at first."""
        if key not in self._moments:
            zeros = torch.zeros_like(like, memory_format=torch.contiguous_format)
            self._moments[key] = zeros, zeros.clone()
        return self._moments[key]

    def direction(self, key: tuple[int, int], gradient: Tensor) -> Tensor:
        """The normalised ascent direction for this gradient; call once per key and step."""
        m, v = self.moments(key, gradient)
        m.mul_(self.first).add_(gradient, alpha=1 - self.first)
        v.mul_(self.second).addcmul_(gradient, gradient, value=1 - self.second)
        return torch.add(v, LEAST_SQUARE).rsqrt_().mul_(m).mul_(self.correction)
