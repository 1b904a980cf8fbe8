"""Backward passes whose bounds hold over the real numbers: every rounding error is paid for."""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import Tensor

from genbab.bounds.passes.backward import Chosen, Rows, add, arrived, begun, choose, planes_for
from genbab.bounds.relax.contraction import Contracted
from genbab.bounds.relax.curvature import Curvature, factors
from genbab.bounds.relax.relaxation import Relaxation, Slopes
from genbab.kernels.torch.sums import dot, picked
from genbab.network import Affine, Grouped, Network, Nonlinear, contractions
from genbab.network.interval import Interval, gamma
from genbab.nonlinear.groups.grouped import group_roundings


def certify(
    network: Network, relaxation: Relaxation, rows: Rows, box: Interval, slopes: dict[int, Chosen]
) -> tuple[Tensor, Tensor, Tensor]:
    """Sound lower bounds over the reals: (bound (B, S), coefficients (B, S, D), constant (B, S)).

    As `certified`, without what it says about curvature.
    """
    return certified(network, relaxation, rows, box, slopes)[:3]


def certified(
    network: Network, relaxation: Relaxation, rows: Rows, box: Interval, slopes: dict[int, Chosen]
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Sound lower bounds over the reals: (bound (B, S), coefficients (B, S, D), constant (B, S), curvature).

    Computed in the relaxation's dtype (use float64) with every rounding error accounted for: at each step
    the exact form differs from the computed one by at most γ|A||W|, and |x| is bounded by the node's
    interval, so γ<|A|, |W||x|> is subtracted at once, with what the file's node may differ from the one as
    written (`Uncertainty`), and in the end what underflow may have taken. `<coefficients, x> + constant` lies
    below the rows on the box, rounding included. Curvature (B, S, D): how much each input takes part in the
    products that a row is made of, None if that is not known.
    """
    forms, constant = begun(relaxation, rows, box)
    slack = torch.zeros_like(constant)
    curved = None if relaxation.linear is None else Curvature(relaxation.linear)
    for i in range(rows.target, 0, -1):
        a = forms.pop(i, None)
        if a is None:
            continue
        relaxation.ask()
        node = network.nodes[i]
        if isinstance(node, Affine):
            chosen = relaxation.network.once(contractions) if curved is not None else slopes
            more, lost = _through_affine(relaxation, i, a, forms, chosen)
            constant, slack = constant + more, slack + lost
        elif isinstance(node, Nonlinear):
            pair = None if curved is None or i in slopes else factors(network, i)
            if curved is not None and pair is not None:
                low_slopes, high_slopes, low, high, mass = relaxation.lines(i).default_lines
                slope, intercept = picked(a, (low_slopes, low), (high_slopes, high))
                found, bias, size = tuple(a * k for k in slope), dot(a, intercept), dot(a.abs(), mass)
                curved.add(pair, a, slope, intercept)
            else:
                found, bias, size = _through_lines(relaxation, i, a, slopes.get(i))
            constant = constant + bias
            slack = slack + gamma(node.size + len(network.nodes), a.dtype) * size
            for argument, form in zip(node.args, found, strict=True):
                add(forms, argument, form)
        elif isinstance(node, Grouped):
            planes = planes_for(relaxation.groups(i), a, slopes.get(i), rigorous=True)
            assert planes.masses is not None
            constant = constant + planes.constants.sum(-1)
            terms = group_roundings(node.fn) + node.size + len(network.nodes)
            slack = slack + gamma(terms, a.dtype) * planes.masses.sum(-1)
            add(forms, node.args[0], planes.form)
    end = arrived(relaxation, forms, constant, box, size=True)
    assert end.size is not None
    if curved is not None:
        constant = constant + curved.improvement()
    terms = end.form.shape[-1] + 4 * len(network.nodes)
    constant = constant - slack - gamma(terms, end.form.dtype) * (end.size + constant.abs()) - relaxation.lost
    bound = constant + end.least - end.rounding
    bound = torch.nan_to_num(bound, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
    return bound, end.form, constant, None if curved is None else curved.shares(box)


def _through_affine(
    relaxation: Relaxation, i: int, a: Tensor, forms: dict[int, Tensor], chosen: Container[int]
) -> tuple[Tensor, Tensor]:
    """From affine node i to its sources, and through matrix products whose planes are not `chosen`: constant
    and slack (B, S) of the step.
    """
    node = relaxation.network.nodes[i]
    assert isinstance(node, Affine)
    constant, slack = a @ node.bias, _affine_slack(relaxation, i, a)
    for source, one in node.terms:
        product = None if source in chosen else relaxation.contracted(source)
        if product is None:
            add(forms, source, one.pull(a))
        else:
            more, lost = _through_product(relaxation, product, product.of.after.pull(a), forms)
            constant, slack = constant + more, slack + lost
    return constant, slack


def _through_product(
    relaxation: Relaxation, product: Contracted, a: Tensor, forms: dict[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """From the sums of a matrix product to what its operands' nodes read: (constant, slack) (B, S) of the
    step.
    """
    size = relaxation.network.nodes[product.of.node].size + len(relaxation.network.nodes)
    constant, slack = product.constant(a), gamma(size, a.dtype) * dot(a.abs(), product.mass)
    for factor, form in zip((product.of.left, product.of.right), product.pull(a), strict=True):
        terms, mass = relaxation.mass(factor.node)
        constant = constant + form @ factor.bias
        slack = slack + gamma(terms, a.dtype) * dot(form.abs(), mass[:, None, factor.places.reshape(-1)])
        add(forms, factor.source, factor.map.pull(form))
    return constant, slack


def _affine_slack(relaxation: Relaxation, i: int, a: Tensor) -> Tensor:
    terms, mass = relaxation.mass(i)
    return gamma(terms, a.dtype) * dot(a.abs(), mass[:, None, :])


def _through_lines(
    relaxation: Relaxation, i: int, a: Tensor, earlier: Chosen | None
) -> tuple[Slopes, Tensor, Tensor]:
    """From nonlinear node i to its arguments by rigorous lines: (form per argument, Σ a·intercept,
    Σ |a|·rounding scale), each sum of as many products as the node has numbers, in any order.

    Default lines are computed once per box and picked per row; other slopes have their intercept computed
    per row.
    """
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if earlier is None:
        low_slopes, high_slopes, low, high, scale = lines.default_lines
        found, bias, size = kernels.lines(a, (low_slopes, low), (high_slopes, high), scale)
    else:
        taken = choose(lines, a, earlier, rigorous=True)
        scale = lines.mass(taken.slopes, taken.intercept)
        found, bias, size = kernels.lines(a, (taken.slopes, taken.intercept), None, scale)
    assert size is not None, "a scale was given"
    return found, bias, size
