"""Slope optimisation: a few dozen Adam-like steps on the slopes of every row, then one certified evaluation.

The search runs in the relaxation's search dtype; only slopes leave it, and any slope is sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds.ascent.multipliers import Multipliers
from genbab.bounds.passes.backward import Along, Chosen, Rows, descend, follow_line, gradient, swept_to
from genbab.bounds.relax.relaxation import Lines, Relaxation, Slopes
from genbab.kernels import LEAST_SQUARE, Moments, Pace
from genbab.network import Network, Nonlinear
from genbab.network.interval import Interval
from genbab.nonlinear.groups.norm_planes import NormPlanes

Stop = Callable[[Tensor], bool]


@dataclass(frozen=True)
class Steps:
    """How slopes are optimised: number of steps, first step as a share of each slope's own range, decay per
    step.
    """

    count: int = 20
    rate: float = 0.3
    decay: float = 0.9

    @staticmethod
    def of(count: int) -> Steps:
        """Steps whose rate falls to about 4 % of its first value by the end, however many there are."""
        return Steps(count, 0.3, 0.04 ** (1.0 / max(count, 1)))


class Adam:
    """First and second moments per slope tensor (Kingma & Ba, 2015); the step is a share of the slope's own
    scale.
    """

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


@dataclass(frozen=True, eq=False)
class Freedom:
    """Arguments whose interval was cut by a split, per nonlinear node: their slopes may leave the range of
    f'.

    A slope outside touches at an end of the interval: that is the Lagrange multiplier of the split's
    constraint (the β of β-CROWN; Wang et al., NeurIPS 2021), in the same variable. steps: per node and
    argument, the size of a step (B, 1, N), 0 where nothing was cut.
    """

    steps: dict[int, Slopes]


def optimise(  # noqa: PLR0913
    network: Network,
    relaxation: Relaxation,
    rows: Rows,
    box: Interval,
    steps: Steps,
    start: dict[int, Chosen] | None = None,
    stop: Stop | None = None,
    freedom: Freedom | None = None,
    given: Multipliers | None = None,
) -> dict[int, Chosen]:
    """Slopes that raise every row's lower bound: those of the last step (the rate decays, so it is near the
    best).

    `stop(bounds (B, S))` is asked after each step and may end the search (all decided; time is up). The
    multipliers `given` are moved along: the slopes are then those of the rows `given.added(rows)`.
    """
    slopes = {i: _settled(relaxation, line, i, freedom) for i, line in (start or {}).items()}
    adam = Adam()
    rate = steps.rate
    for _ in range(steps.count):
        one = descend(network, relaxation, rows if given is None else given.added(rows), box, slopes)
        slopes = one.chosen
        if stop is not None and stop(one.bound if given is None else one.bound - given.price()):
            break
        adam.step += 1
        target = None if given is None else rows.target
        swept, value = swept_to(network, one, target, _climbing(adam, rate, freedom))
        if given is not None and value is not None:
            given.climb(one, adam.direction((rows.target, 0), given.uphill(value)), rate, network)
        slopes = {
            i: line
            if _moved(relaxation, i)
            else _stepped(relaxation, line, i, adam, rate, None if freedom is None else freedom.steps.get(i))
            for i, line in swept.items()
        }
        rate *= steps.decay
    return slopes


def _settled(relaxation: Relaxation, line: Chosen, node: int, freedom: Freedom | None) -> Chosen:
    """The line of an earlier pass on another box, with the function's own slope where only that one is
    undominated here: no step would move it there.
    """
    if not isinstance(relaxation.network.nodes[node], Nonlinear):
        return line
    lines, free = relaxation.lines(node), None if freedom is None else freedom.steps.get(node)
    upper = line.upper.to(relaxation.dtype)
    slopes: list[Tensor] = []
    for place, (k, own, span) in enumerate(
        zip(line.slopes, lines.default(upper), lines.scale(upper), strict=True)
    ):
        fixed = span <= 0 if free is None else (span <= 0) & (free[place] <= 0)
        slopes.append(torch.where(fixed, own, k.to(own.dtype)))
    return replace(line, slopes=tuple(slopes))


def _moved(relaxation: Relaxation, i: int) -> bool:
    """Whether kernels move the slopes of node i in the sweep itself."""
    return i in relaxation.network.nonlinear and relaxation.lines(i).hot is not None


def _climbing(adam: Adam, rate: float, freedom: Freedom | None) -> Along:
    """The way along a line that moves the slopes uphill at once where kernels can."""

    def along(relaxation: Relaxation, i: int, line: Chosen, point: Slopes) -> tuple[Tensor, Chosen]:
        if not _moved(relaxation, i):
            return follow_line(relaxation, i, line, point)
        lines, kernels = relaxation.lines(i), relaxation.kernels
        assert lines.hot is not None and line.step is not None
        moments = tuple(adam.moments((i, place), k) for place, k in enumerate(line.slopes))
        pace = Pace(rate * adam.correction, (adam.first, adam.second))
        free = None if freedom is None else freedom.steps.get(i)
        value, slopes = kernels.ascend(
            lines.hot, line.coefficients, relaxation.ready(i), line.step, point, moments, lines.spans, pace,
            free, lines.defaults,
        )  # fmt: skip
        return value, Chosen(line.coefficients, line.upper, slopes, line.intercept, ())

    return along


def _stepped(  # noqa: PLR0913
    relaxation: Relaxation, line: Chosen, node: int, adam: Adam, rate: float, free: Slopes | None
) -> Chosen:
    """The swept line with its slopes moved uphill.

    Planes of a norm have slopes like any other. Those of a softmax touch a convex function at a point;
    moving it towards where the form is least (Frank & Wolfe, 1956) never lowers the bound at first.
    """
    if isinstance(line.planes, NormPlanes):
        uphill = torch.nan_to_num_(line.planes.uphill(line.point[0]), nan=0.0, posinf=0.0, neginf=0.0)
        moved = adam.direction((node, 0), uphill) * line.planes.step * rate
        return replace(line, slopes=(line.slopes[0] + moved,), planes=None)
    if line.planes is not None:
        at = line.slopes[0] + rate * (line.point[0] - line.slopes[0])
        return replace(line, slopes=(at,), planes=None)
    lines = relaxation.lines(node)
    slopes: list[Tensor] = []
    scale = lines.scale(line.upper)
    for place, (k, partial) in enumerate(zip(line.slopes, gradient(line), strict=True)):
        partial = torch.nan_to_num_(partial, nan=0.0, posinf=0.0, neginf=0.0)
        size = scale[place] if free is None else torch.maximum(scale[place], free[place])
        direction = adam.direction((node, place), partial)
        moved = torch.addcmul(k, direction, size, value=rate)
        if free is not None:
            moved = _released(lines, line, place, moved, scale[place])
        slopes.append(moved)
    return replace(line, slopes=tuple(slopes), touch=(), uphill=(), step=None)


def _released(lines: Lines, line: Chosen, place: int, slope: Tensor, span: Tensor) -> Tensor:
    """The slope, but the function's own where it is straight on the interval and the constraint is not
    active.
    """
    low, high = lines.boxes[place]
    point = line.point[place]
    idle = (span <= 0) & (point >= low) & (point <= high)
    return torch.where(idle, lines.default(line.upper)[place], slope)
