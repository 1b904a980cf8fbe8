"""Shortcuts: hidden neurons between two linear functions of the input, as the root's own passes found them.

They come from the store of `forms` and hold on its box, hence in every domain below it. Only scores use them
(in the search dtype, without rounding account), so nothing that is proved depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds import copies
from genbab.branch.choose.candidates import Candidates
from genbab.branch.choose.view import DomainView
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import INPUT


@dataclass(frozen=True, eq=False)
class ScaledForms:
    """P domains at the input: the forms of their rows times the radii of their boxes.

    form (P, S, D); size (P, S): its sum of absolute values; step (P, S, D): from the corner that minimises
    the form to the centre; centre, radius (P, 1, D).
    """

    form: Tensor
    size: Tensor
    step: Tensor
    centre: Tensor
    radius: Tensor

    @staticmethod
    def of(view: DomainView, which: Tensor) -> ScaledForms:
        """Of the domains `which` (P,) of the view."""
        low, high = (end[which, None] for end in view.box)
        centre, radius = (low + high) / 2, (high - low) / 2
        form = view.last_pass.coefficients[which] * radius
        return ScaledForms(form, form.abs().sum(-1), centre - view.last_pass.corner[which], centre, radius)


@dataclass(frozen=True, eq=False)
class Shortcut:
    """Functions below and above P neurons in P domains.

    Each is a form times the radii (P, 1, D) and the value at the centre (P, S).
    """

    below: tuple[Tensor, Tensor]
    above: tuple[Tensor, Tensor]

    @staticmethod
    def of(
        forms: HiddenForms, node: int, these: Candidates, value: Tensor, place: ScaledForms, anchored: bool
    ) -> Shortcut:
        """Of the neurons of `these` of a node, constant `value` (P, S) where nothing is kept.

        anchored: shifted to take that value at the corner that minimises the row.
        """
        sides = []
        for form, constant in stored(forms, node, these.neurons, place.form):
            form, known = form[:, None], torch.isfinite(constant)[:, None]
            if anchored:
                at_centre = value + (form * place.step).sum(-1)
            else:
                at_centre = (form * place.centre).sum(-1) + constant[:, None]
            sides.append((form * place.radius, torch.where(known, at_centre, value)))
        return Shortcut(sides[0], sides[1])

    def added(self, form: Tensor, coefficient: Tensor, times: float = 1.0) -> Tensor:
        """The form (P, S, D) plus times·coefficient·(the function below), coefficient (P, S).

        Where the coefficient is below 0 it is the function above.
        """
        total = torch.addcmul(form, coefficient.clamp(min=0)[..., None], self.below[0], value=times)
        if bool((coefficient < 0).any()):
            total.addcmul_(coefficient.clamp(max=0)[..., None], self.above[0], value=times)
        return total

    def at_centre(self, coefficient: Tensor) -> Tensor:
        """The same at the centre, without the form: (P, S)."""
        return toward(coefficient, self.below[1], self.above[1])

    @property
    def size(self) -> Tensor:
        """How far the neuron reaches about its value at the centre, about (P, 1)."""
        return (self.below[0] + self.above[0]).abs_().sum(-1) / 2


def stored(forms: HiddenForms, node: int, neurons: Tensor, like: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The form (P, D) and the constant (P,) below, and those above, neurons (P,) of the node.

    They have the dtype of `like`; where none is kept they are 0 and NaN.
    """
    count, inputs = neurons.numel(), like.shape[-1]
    kept = forms.nodes.get(node)
    nothing = like.new_full((count,), torch.nan)
    if node == INPUT:
        unit = like.new_zeros(count, inputs).scatter_(1, neurons[:, None], 1.0)
        return [(unit, nothing.zero_())] * 2
    if kept is None or not len(kept.rows):
        return [(like.new_zeros(count, inputs), nothing)] * 2
    size = len(kept.place) // 2
    twin = forms.engine.exact.once(copies, node)[neurons]
    sides = []
    for rows, sign in ((kept.place[twin], 1.0), (kept.place[size + twin], -1.0)):
        has = rows >= 0
        at = rows.clamp(min=0)
        form = (kept.form[at].to(like.dtype) * sign).masked_fill_(~has[:, None], 0.0)
        sides.append((form, torch.where(has, sign * kept.constant[at].to(like.dtype), nothing)))
    return sides


def evaluated(forms: HiddenForms, node: int, x: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The functions below and above all neurons of the node at x (B, S, D).

    value (B, S, N): what stands where there is none.
    """
    neurons = torch.arange(value.shape[-1], device=x.device)
    ends = []
    for form, constant in stored(forms, node, neurons, x):
        at = x @ form.mT + constant
        ends.append(torch.where(torch.isfinite(constant), at, value))
    return ends[0], ends[1]


def toward(coefficient: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The lower bound of coefficient·z for low <= z <= high."""
    return coefficient.clamp(min=0) * low + coefficient.clamp(max=0) * high
