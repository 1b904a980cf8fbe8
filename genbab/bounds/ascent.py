"""Slope optimisation: a few dozen Adam-like steps on the slopes of every row, then one certified evaluation.

The search runs in the relaxation's search dtype; only slopes leave it, and any slope is sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds.backward import Chosen, Pass, Rows, descend, gradients
from genbab.bounds.interval import Interval
from genbab.bounds.relaxation import Relaxation, Slopes
from genbab.network import Network

Stop = Callable[[Tensor], bool]


@dataclass(frozen=True)
class Steps:
    """How slopes are optimised: number of steps, first step as a share of each slope's own range, decay per step."""

    count: int = 20
    rate: float = 0.3
    decay: float = 0.9

    @staticmethod
    def of(count: int) -> Steps:
        """Steps whose rate falls to about 4 % of its first value by the end, however many there are."""
        return Steps(count, 0.3, 0.04 ** (1.0 / max(count, 1)))


class Adam:
    """First and second moments per slope tensor (Kingma & Ba, 2015); the step is a share of the slope's own scale."""

    def __init__(self, first: float = 0.4, second: float = 0.8) -> None:
        self.first, self.second = first, second
        self.step = 0
        self._moments: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def direction(self, key: tuple[int, int], gradient: Tensor) -> Tensor:
        """The normalised ascent direction for this gradient; call once per key and step."""
        if key not in self._moments:
            self._moments[key] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        m, v = self._moments[key]
        m.mul_(self.first).add_(gradient, alpha=1 - self.first)
        v.mul_(self.second).addcmul_(gradient, gradient, value=1 - self.second)
        correction = (1 - self.second**self.step) ** 0.5 / (1 - self.first**self.step)
        return (m / v.sqrt().add_(1e-20)).mul_(correction)


def optimise(  # noqa: PLR0913
    network: Network,
    relaxation: Relaxation,
    rows: Rows,
    box: Interval,
    steps: Steps,
    start: dict[int, Chosen] | None = None,
    stop: Stop | None = None,
) -> dict[int, Chosen]:
    """Slopes that raise every row's lower bound: those of the last step (the rate decays, so it is near the best).

    `stop(bounds (B, S))` is asked after each step and may end the search (all decided; time is up).
    """
    slopes = dict(start or {})
    adam = Adam()
    rate = steps.rate
    for _ in range(steps.count):
        one = descend(network, relaxation, rows, box, slopes)
        slopes = one.chosen
        if stop is not None and stop(one.bound):
            break
        slopes = _stepped(network, relaxation, one, rows.target, adam, rate)
        rate *= steps.decay
    return slopes


def _stepped(
    network: Network, relaxation: Relaxation, one: Pass, target: int, adam: Adam, rate: float
) -> dict[int, Chosen]:
    """The lines of the pass with every slope moved uphill."""
    adam.step += 1
    moved: dict[int, Chosen] = {}
    for i, partial in gradients(network, one, target).items():
        line = one.chosen[i]
        lines = relaxation.lines(i)
        scale = lines.scale(line.upper)
        slopes: list[Tensor] = []
        for place, (k, gradient) in enumerate(zip(line.slopes, partial, strict=True)):
            gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
            step = adam.direction((i, place), gradient).mul_(scale[place]).mul_(rate)
            slopes.append(k + step)
        moved[i] = Chosen(line.coefficients, line.upper, tuple(slopes), line.intercept, ())
    return moved

