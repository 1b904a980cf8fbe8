"""What every implementation of the kernels offers; `torch.reference` says what each result is."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from genbab.kernels.functions import Function
from genbab.kernels.torch.reference import Box, Concrete, Moments, Pace, Relaxed
from genbab.kernels.torch.softmax import SoftmaxFacts, SoftmaxPlanes
from genbab.kernels.torch.splitting import Grid
from genbab.kernels.torch.sums import Line, Slopes

Ready = Any
"""Boxes, or what `prepare` made of them; facts of a softmax, or what `softmax_ready` made of them."""


class Kernels(Protocol):
    """An implementation of the kernels: a module with these functions.

    Shapes and laws are those of `torch.reference`: B domains, S rows, N neurons, D inputs. Implementations
    differ in rounding, in speed, and in the functions whose lines they compute by themselves.
    """

    @property
    def FUNCTIONS(self) -> frozenset[str]:
        """Names of the functions whose lines are computed here.

        Of `functions.HOT`, those that `relax`, `gradient`, `ascend` and `envelope` are to be asked for, and
        "softmax" where its planes are: callers compute the lines of all other functions by themselves.
        """

    def prepare(self, fn: Function, boxes: tuple[Box, ...]) -> Ready:
        """What to give to `relax` and `ascend` instead of the boxes when these come many times."""

    def relax(
        self,
        fn: Function,
        a: Tensor,
        boxes: Ready,
        slopes: Slopes | None,
        defaults: tuple[Slopes, Slopes],
        before: Tensor | None = None,
        *,
        keep: bool = True,
    ) -> Relaxed:
        """A backward step through a function: forms (B, S, N) per argument and their bias (B, S)."""

    def gradient(
        self,
        fn: Function,
        a: Tensor,
        boxes: tuple[Box, ...],
        relaxed: Relaxed,
        to_forms: Slopes,
        to_bias: Tensor | None = None,
    ) -> tuple[Tensor, Slopes]:
        """The adjoint of `relax`: values along the lines and gradients to the slopes, (B, S, N) each."""

    def ascend(
        self,
        fn: Function,
        a: Tensor,
        boxes: Ready,
        relaxed: Relaxed,
        to_forms: Slopes,
        moments: tuple[Moments, ...],
        spans: tuple[Slopes, Slopes],
        pace: Pace,
        free: Slopes | None = None,
        defaults: tuple[Slopes, Slopes] | None = None,
    ) -> tuple[Tensor, Slopes]:
        """Values along the lines, and the slopes moved uphill by a step of Adam, (B, S, N) each."""

    def envelope(self, fn: Function, box: Box) -> tuple[Box, Box]:
        """((lower, upper) slopes of least area, (lower, upper) spans) of one of `S_SHAPED`; finite box."""

    def lines(
        self, a: Tensor, lower: Line, upper: Line | None = None, mass: Tensor | None = None
    ) -> tuple[Slopes, Tensor, Tensor | None]:
        """(forms (B, S, N) per argument, bias (B, S), Σ |a|·mass (B, S)) of lines that are known."""

    def concretise(
        self,
        form: Tensor,
        box: Box,
        constant: Tensor | None = None,
        *,
        corner: bool = False,
        size: bool = False,
    ) -> Concrete:
        """The least of <form, x> + constant over boxes (B or 1, D); form (B, S, D)."""

    def weights(self, form: Tensor, middle: Tensor, radius: Tensor, normal: Tensor, level: Tensor) -> Tensor:
        """Weights >= 0 (B, R, H) of half-spaces that nearly maximise `dual`."""

    def dual(
        self, form: Tensor, box: Box, normal: Tensor, level: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(value, size) (B, R) of weak duality: of forms inside half-spaces, at weights (B, R, H)."""

    def reach(self, form: Tensor, below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
        """How far forms reach on the unit box with multiples (P, S, M) of linear functions added to them."""

    def points(self, grid: Grid, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
        """Where a table splits intervals [l, u] (..., N)."""

    def softmax_ready(self, facts: SoftmaxFacts) -> Ready:
        """What to give to the other two instead of the facts when these come many times."""

    def softmax_planes(self, facts: Ready, a: Tensor, at: Tensor) -> SoftmaxPlanes:
        """Planes below Σ a·softmax that touch at the points `at`, a (B, S, N)."""

    def softmax_values(self, facts: Ready, planes: SoftmaxPlanes, v: Tensor) -> Tensor:
        """The entries' values along the lines of planes, at v (B, S, N)."""
