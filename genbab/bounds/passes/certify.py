"""Backward passes whose bounds hold over the real numbers: every rounding error is paid for."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds.passes.backward import Sources, take_lines, take_planes
from genbab.bounds.passes.concretise import Minimum, initial_forms, minimum
from genbab.bounds.passes.taken import Rows, Start, Starts
from genbab.bounds.relax.contraction import Contracted
from genbab.bounds.relax.curvature import Curvature, factors
from genbab.bounds.relax.lines import Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.kernels.torch.sums import dot, picked
from genbab.network import Affine, Grouped, Meaning, Nonlinear, backward, contractions
from genbab.network.roundoff import Interval, gamma
from genbab.nonlinear.groups.grouped import group_roundings


@dataclass(frozen=True, eq=False)
class Certified:
    """What is proved of rows on boxes, over the reals, rounding included.

    They are at least `bound` (B, S) there, and at least <form, x> + constant, form (B, S, D), constant (B,
    S), at every point of the box. curvature (B, S, D): how much each input takes part in the products that a
    row is made of, None if that is not known.
    """

    bound: Tensor
    form: Tensor
    constant: Tensor
    curvature: Tensor | None = None

    def rows(self, which: Tensor) -> Certified:
        """The rows selected by their numbers."""
        curvature = None if self.curvature is None else self.curvature[:, which]
        return Certified(self.bound[:, which], self.form[:, which], self.constant[:, which], curvature)


def certify(relaxation: Relaxation, rows: Rows, box: Interval, start: Starts) -> Certified:
    """Sound lower bounds of rows over the reals, by one pass with the lines that `start` says.

    Computed in the relaxation's dtype (use float64) with every rounding error accounted for: at each step
    the exact form differs from the computed one by at most γ|A||W|, and |x| is bounded by the node's
    interval, so γ<|A|, |W||x|> is subtracted at once, with what the file's node may differ from the one as
    written (`Uncertainty`), and in the end what underflow may have taken.
    """
    forms, constant = initial_forms(relaxation, rows, box)
    step = _Certification(relaxation, start, constant)
    form = backward(relaxation.network, forms, step, relaxation.ask)
    return step.ended(minimum(relaxation, form, constant, box, size=True), box)


class _Certification(Meaning[Tensor, Sources]):
    """One pass under way: the constant and what roundings may have taken (slack), both (B, S), so far.

    With curvature, matrix products take their default planes whatever `start` says.
    """

    def __init__(self, relaxation: Relaxation, start: Starts, constant: Tensor) -> None:
        self.relaxation, self.start, self.constant = relaxation, start, constant
        self.slack = torch.zeros_like(constant)
        self.count = len(relaxation.network.nodes)
        self.curvature = None if relaxation.linear is None else Curvature(relaxation.linear)
        curved = self.curvature is not None
        self.chosen: Container[int] = relaxation.network.once(contractions) if curved else start

    def affine(self, i: int, node: Affine, x: Tensor) -> Sources:
        terms, mass = self.relaxation.mass(i)
        self.constant = self.constant + x @ node.bias
        self.slack = self.slack + gamma(terms, x.dtype) * dot(x.abs(), mass[:, None, :])
        found: list[tuple[int, Tensor]] = []
        for source, one in node.terms:
            product = None if source in self.chosen else self.relaxation.contracted(source)
            if product is None:
                found.append((source, one.pull(x)))
            else:
                found += self._through_product(product, product.of.after.pull(x))
        return found

    def _through_product(self, product: Contracted, a: Tensor) -> Sources:
        """From the sums of a matrix product to what its operands' nodes read."""
        size = self.relaxation.network.nodes[product.of.node].size + self.count
        self.constant = self.constant + product.constant(a)
        self.slack = self.slack + gamma(size, a.dtype) * dot(a.abs(), product.mass)
        for factor, form in zip((product.of.left, product.of.right), product.pull(a), strict=True):
            terms, mass = self.relaxation.mass(factor.node)
            lost = dot(form.abs(), mass[:, None, factor.places.reshape(-1)])
            self.constant = self.constant + form @ factor.bias
            self.slack = self.slack + gamma(terms, a.dtype) * lost
            yield factor.source, factor.map.pull(form)

    def nonlinear(self, i: int, node: Nonlinear, x: Tensor) -> Sources:
        pair = None if self.curvature is None or i in self.start else factors(self.relaxation.network, i)
        if self.curvature is not None and pair is not None:
            low_slopes, high_slopes, low, high, mass = self.relaxation.lines(i).default_lines
            slopes, intercept = picked(x, (low_slopes, low), (high_slopes, high))
            forms, bias, size = tuple(x * k for k in slopes), dot(x, intercept), dot(x.abs(), mass)
            self.curvature.add(pair, x, slopes, intercept)
        else:
            forms, bias, size = _through_lines(self.relaxation, i, x, self.start.get(i))
        self.constant = self.constant + bias
        self.slack = self.slack + gamma(node.size + self.count, x.dtype) * size
        return zip(node.args, forms, strict=True)

    def grouped(self, i: int, node: Grouped, x: Tensor) -> Sources:
        planes = take_planes(self.relaxation.groups(i), x, self.start.get(i), rigorous=True)
        assert planes.masses is not None
        terms = group_roundings(node.fn) + node.size + self.count
        self.constant = self.constant + planes.constants.sum(-1)
        self.slack = self.slack + gamma(terms, x.dtype) * planes.masses.sum(-1)
        return [(node.args[0], planes.form)]

    def ended(self, end: Minimum, box: Interval) -> Certified:
        """What is proved once the pass has arrived at the input."""
        assert end.size is not None
        constant = self.constant
        if self.curvature is not None:
            constant = constant + self.curvature.improvement()
        terms = end.form.shape[-1] + 4 * self.count
        rounding = gamma(terms, end.form.dtype) * (end.size + constant.abs())
        constant = constant - self.slack - rounding - self.relaxation.lost
        bound = constant + end.least - end.rounding
        bound = torch.nan_to_num(bound, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
        shares = None if self.curvature is None else self.curvature.shares(box)
        return Certified(bound, end.form, constant, shares)


def _through_lines(
    relaxation: Relaxation, i: int, a: Tensor, start: Start | None
) -> tuple[Slopes, Tensor, Tensor]:
    """(form per argument, Σ a·intercept, Σ |a|·rounding scale) of a step by rigorous lines.

    Each sum has as many products as nonlinear node i has numbers, in any order.

    Default lines are computed once per box and picked per row; other slopes have their intercept computed
    per row.
    """
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if start is None:
        low_slopes, high_slopes, low, high, scale = lines.default_lines
        forms, bias, size = kernels.lines(a, (low_slopes, low), (high_slopes, high), scale)
    else:
        taken = take_lines(lines, a, start, rigorous=True)
        scale = lines.mass(taken.slopes, taken.intercept)
        forms, bias, size = kernels.lines(a, (taken.slopes, taken.intercept), None, scale)
    assert size is not None, "a scale was given"
    return forms, bias, size
