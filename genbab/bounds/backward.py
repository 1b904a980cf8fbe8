"""Backward linear bounds (CROWN; Zhang et al., NeurIPS 2018) with slopes given per row.

For rows C of a target node t, walking the graph backwards keeps the invariant

    C·t(x)  >=  Σ_v <A_v, v(x)> + d        for every x in the box,

A_v (B, S, N_v), d (B, S). At an affine node A goes through the adjoint of each map; at a nonlinear node
every entry
picks the lower line (A >= 0) or the upper line (A < 0) of its neuron: `slope * arg + intercept`. Any slope
is sound
because the intercept is computed for it. At the input the form is minimised over the box.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds.curvature import Curvature, factors
from genbab.bounds.interval import Interval, gamma, magnitude
from genbab.bounds.relaxation import Lines, Relaxation, Slopes
from genbab.network import Affine, Grouped, Network, Nonlinear
from genbab.nonlinear.softmax import SoftmaxBox
from genbab.nonlinear.softmax_planes import Planes, planes, roundings


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms to bound from below: matrix (B or 1, S, N) over the target node, plus on_input (B or 1,
    S, D).
    """

    target: int
    matrix: Tensor
    on_input: Tensor | None = None

    def to(self, dtype: torch.dtype) -> Rows:
        """The same rows in another dtype."""
        on_input = None if self.on_input is None else self.on_input.to(dtype)
        return Rows(self.target, self.matrix.to(dtype), on_input)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The lines that one pass used at one nonlinear node, all (B, S, N).

    coefficients: the rows' at the node's output; upper: 1.0 where they took the upper line, 0.0 for the
    lower (float
    masks: selecting by a random boolean mask costs ten times an addition on CPUs); slopes, intercept, touch
    points;
    point: the arguments' values at the input that minimises the form, once a sweep has found them.
    planes: of a grouped node; its only "slopes" are the point at which they touch, `intercept` is unused.
    """

    coefficients: Tensor
    upper: Tensor
    slopes: Slopes
    intercept: Tensor
    touch: tuple[Tensor, ...]
    point: tuple[Tensor, ...] = ()
    planes: Planes | None = None


@dataclass(frozen=True, eq=False)
class Pass:
    """One backward pass: the form <coefficients, x> + constant below the rows, its minimum, and the lines
    used.
    """

    coefficients: Tensor
    constant: Tensor
    bound: Tensor
    corner: Tensor
    chosen: dict[int, Chosen] = field(default_factory=dict)


def descend(
    network: Network, relaxation: Relaxation, rows: Rows, box: Interval, slopes: dict[int, Chosen]
) -> Pass:
    """A backward pass in the relaxation's dtype, without rounding account: for searching slopes, never for
    verdicts.

    `slopes` holds the lines of an earlier pass (its `slopes` and `upper`); where a side has changed since,
    or a node is missing, the default slope is taken.
    """
    forms, constant = _begun(relaxation, rows, box)
    chosen: dict[int, Chosen] = {}
    for i in range(rows.target, 0, -1):
        a = forms.pop(i, None)
        if a is None:
            continue
        node = network.nodes[i]
        if isinstance(node, Affine):
            constant = constant + a @ node.bias
            for source, one in node.terms:
                _add(forms, source, one.pull(a))
        elif isinstance(node, Nonlinear):
            chosen[i] = taken = choose(relaxation.lines(i), a, slopes.get(i), rigorous=False)
            constant = constant + dot(a, taken.intercept)
            for argument, k in zip(node.args, taken.slopes, strict=True):
                _add(forms, argument, a * k)
        elif isinstance(node, Grouped):
            found = _planes(relaxation.groups(i), a, slopes.get(i), rigorous=False)
            chosen[i] = _planes_taken(a, found)
            constant = constant + found.constants.sum(-1)
            _add(forms, node.args[0], found.form)
    form, corner = _arrived(forms, constant, box)
    return Pass(form, constant, constant + (form * corner).sum(-1), corner, chosen)


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
    interval, so γ<|A|, |W||x|> is subtracted at once. `<coefficients, x> + constant` lies below the rows on
    the box, rounding included. Curvature (B, S, D): how much each input takes part in the products that a
    row is made of, None if that is not known.
    """
    forms, constant = _begun(relaxation, rows, box)
    slack = torch.zeros_like(constant)
    curved = None if relaxation.linear is None else Curvature(relaxation.linear)
    for i in range(rows.target, 0, -1):
        a = forms.pop(i, None)
        if a is None:
            continue
        node = network.nodes[i]
        if isinstance(node, Affine):
            constant = constant + a @ node.bias
            slack = slack + _affine_slack(relaxation, i, a)
            for source, one in node.terms:
                _add(forms, source, one.pull(a))
        elif isinstance(node, Nonlinear):
            picked, intercept, mass = _certified_lines(relaxation.lines(i), a, slopes.get(i))
            constant = constant + dot(a, intercept)
            pair = None if curved is None or i in slopes else factors(network, i)
            if curved is not None and pair is not None:
                curved.add(pair, a, picked, intercept)
            slack = slack + gamma(node.size + len(network.nodes), a.dtype) * dot(a.abs(), mass)
            for argument, k in zip(node.args, picked, strict=True):
                _add(forms, argument, a * k)
        elif isinstance(node, Grouped):
            found = _planes(relaxation.groups(i), a, slopes.get(i), rigorous=True)
            assert found.masses is not None
            constant = constant + found.constants.sum(-1)
            terms = roundings(node.fn.length) + node.size + len(network.nodes)
            slack = slack + gamma(terms, a.dtype) * found.masses.sum(-1)
            _add(forms, node.args[0], found.form)
    form, corner = _arrived(forms, constant, box)
    if curved is not None:
        constant = constant + curved.improvement()
    wide = (form.abs() @ magnitude(box)[:, :, None]).squeeze(-1)
    constant = (
        constant
        - slack
        - gamma(form.shape[-1] + 4 * len(network.nodes), form.dtype) * (wide + constant.abs())
    )
    bound = constant + (form * corner).sum(-1)
    bound = torch.nan_to_num(bound, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
    return bound, form, constant, None if curved is None else curved.shares(box)


def _begun(relaxation: Relaxation, rows: Rows, box: Interval) -> tuple[dict[int, Tensor], Tensor]:
    """(forms by node, constant (B, S)) of a pass that has not yet taken a step."""
    batch = max(relaxation.batch, rows.matrix.shape[0], box[0].shape[0])
    forms: dict[int, Tensor] = {rows.target: rows.matrix.expand(batch, -1, -1)}
    if rows.on_input is not None:
        forms[0] = rows.on_input.expand(batch, -1, -1)
    return forms, rows.matrix.new_zeros(batch, rows.matrix.shape[1])


def _arrived(forms: dict[int, Tensor], constant: Tensor, box: Interval) -> tuple[Tensor, Tensor]:
    """(form over the input (B, S, D), the corner of the box that minimises it) at the end of a pass."""
    form = forms.get(0)
    if form is None:
        form = constant.new_zeros(*constant.shape, box[0].shape[1])
    return form, torch.where(form > 0, box[0][:, None, :], box[1][:, None, :])


def choose(lines: Lines, a: Tensor, earlier: Chosen | None, rigorous: bool) -> Chosen:
    """The line each entry of a (B, S, N) takes: the side by its sign, the slopes by `earlier` or by
    default.
    """
    upper = torch.lt(a, 0.0, out=torch.empty_like(a, memory_format=torch.contiguous_format))
    if earlier is None:
        slopes = lines.default(upper)
    else:
        before = earlier.upper.to(a.dtype)
        slopes = tuple(k.to(a.dtype) for k in earlier.slopes)
        if not torch.equal(before, upper):
            flipped = (upper - before).abs_()
            slopes = tuple(
                torch.lerp(k, d, flipped) for k, d in zip(slopes, lines.default(upper), strict=True)
            )
    intercept, touch = lines.intercept(slopes, upper, rigorous)
    return Chosen(a, upper, slopes, intercept, touch)


def _planes(box: SoftmaxBox, a: Tensor, earlier: Chosen | None, rigorous: bool) -> Planes:
    """The planes for coefficients a (B, S, N): at the points of `earlier`, or at the centre of the box."""
    at = box.middle if earlier is None else earlier.slopes[0].to(a.dtype)
    return planes(box, a, at, rigorous=rigorous)


def _planes_taken(a: Tensor, found: Planes) -> Chosen:
    upper = found.upper.flatten(-2).to(a.dtype)
    return Chosen(a, upper, (found.at.expand(a.shape),), found.form, (), planes=found)


def sweep(network: Network, one: Pass) -> dict[int, Chosen]:
    """The lines of the pass with `point` filled in: one forward sweep of the minimising corner along the
    lines.
    """
    known: dict[int, Tensor] = {0: one.corner}
    swept: dict[int, Chosen] = {}
    needed = {a for i in one.chosen for a in _arguments(network, i)}
    reach = set(one.chosen).union(*(network.ancestors[i] for i in needed))
    for i in sorted(reach - {0}):
        node = network.nodes[i]
        if isinstance(node, Affine):
            value = node.bias
            for source, linear in node.terms:
                value = linear.apply(known[source]) + value
            known[i] = value
        elif isinstance(node, Nonlinear):
            line = one.chosen[i]
            point = tuple(known[a] for a in node.args)
            value = line.intercept
            for k, v in zip(line.slopes, point, strict=True):
                value = torch.addcmul(value, k, v)
            known[i], swept[i] = value, replace(line, point=point)
        elif isinstance(node, Grouped):
            line, point = one.chosen[i], (known[node.args[0]],)
            assert line.planes is not None
            known[i], swept[i] = line.planes.along(point[0]), replace(line, point=point)
    return swept


def _arguments(network: Network, i: int) -> tuple[int, ...]:
    """The nodes that the value of node i depends on."""
    sources = network.sources(i)
    return sources[:1] if isinstance(network.nodes[i], Grouped) else sources


def gradient(line: Chosen) -> Slopes:
    """∂bound/∂slope of a swept line: A·(v − x*), x* its touching point (envelope theorem), v the argument's
    value.
    """
    return tuple(line.coefficients * (v - t) for v, t in zip(line.point, line.touch, strict=True))


def dot(a: Tensor, c: Tensor) -> Tensor:
    """Σ a·c over the last axis, where 0 times infinity counts 0."""
    total = (a @ c.mT).squeeze(-1) if c.shape[-2] == 1 else (a * c).sum(-1)
    if bool(torch.isfinite(total).all()):
        return total
    return torch.where(a == 0, 0.0, a * c).sum(-1)


def _add(forms: dict[int, Tensor], node: int, form: Tensor) -> None:
    forms[node] = forms[node] + form if node in forms else form


def _affine_slack(relaxation: Relaxation, i: int, a: Tensor) -> Tensor:
    terms, mass = relaxation.mass(i)
    return gamma(terms, a.dtype) * dot(a.abs(), mass[:, None, :])


def _certified_lines(lines: Lines, a: Tensor, earlier: Chosen | None) -> tuple[Slopes, Tensor, Tensor]:
    """(slopes, rigorous intercept, rounding scale) for the side that each entry of a (B, S, N) takes.

    Default lines are computed once per box and picked per row; other slopes have their intercept computed
    per row.
    """
    if earlier is not None:
        taken = choose(lines, a, earlier, rigorous=True)
        return taken.slopes, taken.intercept, lines.mass(taken.slopes, taken.intercept)
    upper = torch.lt(a, 0.0, out=torch.empty_like(a, memory_format=torch.contiguous_format))
    lower_slopes, upper_slopes, low, high, mass = lines.default_lines
    slopes = tuple(torch.lerp(k, u, upper) for k, u in zip(lower_slopes, upper_slopes, strict=True))
    finite = bool(torch.isfinite(low).all()) and bool(torch.isfinite(high).all())
    return slopes, torch.lerp(low, high, upper) if finite else torch.where(a < 0, high, low), mass
