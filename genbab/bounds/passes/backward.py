"""Backward linear bounds (CROWN; Zhang et al., NeurIPS 2018) with slopes given per row.

For rows C of a target node t, walking the graph backwards keeps the invariant

    C·t(x)  >=  Σ_v <A_v, v(x)> + d        for every x in the box,

A_v (B, S, N_v), d (B, S). At an affine node A goes through the adjoint of each map; at a nonlinear node every
entry picks the lower line (A >= 0) or the upper line (A < 0) of its neuron: `slope * arg + intercept`. Any
slope is sound because the intercept is computed for it. At the input the form is minimised over the box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds.relax.relaxation import Lines, Relaxation, Slopes
from genbab.kernels import Relaxed
from genbab.kernels.torch.sums import dot, side_of
from genbab.network import Affine, Grouped, Input, Network, Nonlinear
from genbab.network.interval import Interval, gamma
from genbab.nonlinear.groups.grouped import Found, GroupBox, GroupPlanes, group_planes
from genbab.nonlinear.groups.softmax import SoftmaxBox


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

    coefficients: the rows' at the node's output; upper: 1.0 where they took the upper line, 0.0 for the lower
    (float masks: selecting by a random boolean mask costs ten times an addition on CPUs); slopes, intercept,
    touch points; point: the arguments' values at the input that minimises the form, once a sweep has found
    them. uphill: the bound's gradient to the slopes, where the sweep found it too. step: the kernels' own
    account of it, where they took it. planes: of a grouped node; its only "slopes" are the planes' parameters
    `at`, `intercept` is unused.
    """

    coefficients: Tensor
    upper: Tensor
    slopes: Slopes
    intercept: Tensor
    touch: tuple[Tensor, ...]
    point: tuple[Tensor, ...] = ()
    planes: GroupPlanes | Found | None = None
    uphill: Slopes = ()
    step: Relaxed | None = None

    def one(self, box: int, row: int) -> Chosen:
        """The slopes and sides of one row on one box, to start a pass from: (1, 1, N)."""

        def part(whole: Tensor) -> Tensor:
            b, s = min(box, whole.shape[0] - 1), min(row, whole.shape[1] - 1)
            return whole[b : b + 1, s : s + 1]

        slopes = tuple(part(k) for k in self.slopes)
        return Chosen(part(self.coefficients), part(self.upper), slopes, self.intercept[:0], ())


@dataclass(frozen=True, eq=False)
class Pass:
    """One backward pass on a relaxation: the form <coefficients, x> + constant below the rows, its minimum,
    and the lines used.
    """

    relaxation: Relaxation

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
    forms, constant = begun(relaxation, rows, box)
    chosen: dict[int, Chosen] = {}
    for i in range(rows.target, 0, -1):
        a = forms.pop(i, None)
        if a is None:
            continue
        relaxation.ask()
        node = network.nodes[i]
        if isinstance(node, Affine):
            constant = constant + a @ node.bias
            for source, one in node.terms:
                add(forms, source, one.pull(a))
        elif isinstance(node, Nonlinear):
            chosen[i], found, bias = _through(relaxation, i, a, slopes.get(i))
            constant = constant + bias
            for argument, form in zip(node.args, found, strict=True):
                add(forms, argument, form)
        elif isinstance(node, Grouped):
            chosen[i], form, bias = _below_planes(relaxation, i, a, slopes.get(i))
            constant = constant + bias
            add(forms, node.args[0], form)
    end = arrived(relaxation, forms, constant, box)
    return Pass(relaxation, end.form, constant, constant + end.least, end.corner, chosen)


def _through(
    relaxation: Relaxation, i: int, a: Tensor, earlier: Chosen | None
) -> tuple[Chosen, Slopes, Tensor]:
    """(the lines that a takes at nonlinear node i, the form it becomes per argument, Σ a·intercept)."""
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if lines.hot is None:
        taken = choose(lines, a, earlier, rigorous=False)
        return taken, tuple(a * k for k in taken.slopes), dot(a, taken.intercept)
    slopes = None if earlier is None else tuple(k.to(a.dtype) for k in earlier.slopes)
    before = None if earlier is None else earlier.upper
    step = kernels.relax(lines.hot, a, relaxation.ready(i), slopes, lines.defaults, before)
    assert step.upper is not None and step.intercept is not None, "kept"
    taken = Chosen(a, step.upper, step.slopes, step.intercept, step.touch, step=step)
    return taken, step.forms, step.bias


def begun(relaxation: Relaxation, rows: Rows, box: Interval) -> tuple[dict[int, Tensor], Tensor]:
    """(forms by node, constant (B, S)) of a pass that has not yet taken a step."""
    batch = max(relaxation.batch, rows.matrix.shape[0], box[0].shape[0])
    forms: dict[int, Tensor] = {rows.target: rows.matrix.expand(batch, -1, -1)}
    if rows.on_input is not None:
        forms[0] = rows.on_input.expand(batch, -1, -1)
    return forms, rows.matrix.new_zeros(batch, rows.matrix.shape[1])


@dataclass(frozen=True, eq=False)
class Arrived:
    """The end of a pass: the form over the input (B, S, D), the point `corner` that minimises it, its value
    `least` there (B, S), where asked for `size` (B, S) = Σ |form|·max|x|, and the rounding (B, S) that pays
    for balls.

    The point is a corner of the box, and in the columns of a ball the ball's own least point where the form
    is larger there: the minimum over both sets is at least that.
    """

    form: Tensor
    corner: Tensor
    least: Tensor
    size: Tensor | None
    rounding: Tensor | float


def arrived(
    relaxation: Relaxation, forms: dict[int, Tensor], constant: Tensor, box: Interval, size: bool = False
) -> Arrived:
    """The end of a pass with these forms; constant (B, S) gives the shape where there is no form. The sums
    have D terms in any order, and no account of their rounding.
    """
    form = forms.get(0)
    if form is None:
        form = constant.new_zeros(*constant.shape, box[0].shape[1])
    entry = relaxation.network.nodes[0]
    balls = entry.within if isinstance(entry, Input) else ()
    found = relaxation.kernels.concretise(form, box, corner=True, size=size)
    corner, wide = found.corner, found.size
    assert corner is not None, "asked for"
    if not balls:
        return Arrived(form, corner, found.bound, wide, 0.0)
    rounding: Tensor | float = 0.0
    for ball in balls:
        part, square = form[..., ball.columns], corner[..., ball.columns]
        point = ball.least(part)
        better = (part * point).sum(-1, keepdim=True) > (part * square).sum(-1, keepdim=True)
        corner = corner.index_copy(-1, ball.columns, torch.where(better, point, square))
        terms = 4 * part.shape[-1] + 64
        rounding = rounding + gamma(terms, form.dtype) * (part.abs() * ball.reach()).sum(-1)
    return Arrived(form, corner, (form * corner).sum(-1), wide, rounding)


def choose(lines: Lines, a: Tensor, earlier: Chosen | None, rigorous: bool) -> Chosen:
    """The line each entry of a (B, S, N) takes: the side by its sign, the slopes by `earlier` or by
    default.
    """
    upper = side_of(a)
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


def planes_for(box: GroupBox, a: Tensor, earlier: Chosen | None, rigorous: bool) -> GroupPlanes:
    """The planes for coefficients a (B, S, N), with the parameters of `earlier` or the default ones."""
    return group_planes(box, a, None if earlier is None else earlier.slopes[0].to(a.dtype), rigorous=rigorous)


def _below_planes(
    relaxation: Relaxation, i: int, a: Tensor, earlier: Chosen | None
) -> tuple[Chosen, Tensor, Tensor]:
    """(the planes that a takes at grouped node i, the form it becomes, the sum of their constants)."""
    box, kernels = relaxation.groups(i), relaxation.kernels
    if "softmax" not in kernels.FUNCTIONS or not isinstance(box, SoftmaxBox):
        planes = planes_for(box, a, earlier, rigorous=False)
        upper = planes.upper.flatten(-2).to(a.dtype)
        taken = Chosen(a, upper, (planes.at.expand(a.shape),), planes.form, (), planes=planes)
        return taken, planes.form, planes.constants.sum(-1)
    ready, at = relaxation.ready(i), box.middle if earlier is None else earlier.slopes[0].to(a.dtype)
    found = kernels.softmax_planes(ready, a, at)
    followed = Found(kernels, ready, found)
    return Chosen(a, found.upper, (found.at,), found.form, (), planes=followed), found.form, found.bias


Along = Callable[[Relaxation, int, Chosen, Slopes], tuple[Tensor, Chosen]]
"""(relaxation, nonlinear node, its line, its arguments' values) -> (its value on the line, what the sweep
keeps).
"""


def sweep(network: Network, one: Pass, along: Along | None = None) -> dict[int, Chosen]:
    """The lines of the pass with `point` filled in: one forward sweep of the minimising corner along the
    lines. `along`: what does it for the nodes of functions of one or two arguments.
    """
    follow = follow_line if along is None else along
    return swept_to(network, one, None, follow)[0]


def swept_to(
    network: Network, one: Pass, target: int | None, along: Along
) -> tuple[dict[int, Chosen], Tensor | None]:
    """As `sweep`, and the value along the lines of the node `target`, if one is named."""
    known: dict[int, Tensor] = {0: one.corner}
    swept: dict[int, Chosen] = {}
    wanted = tuple(one.chosen) if target is None else (*one.chosen, target)
    order = one.relaxation.orders.get(wanted)
    if order is None:
        order = one.relaxation.orders[wanted] = _reached(network, wanted)
    for i in order:
        node = network.nodes[i]
        if isinstance(node, Affine):
            value = node.bias
            for source, linear in node.terms:
                value = linear.apply(known[source]) + value
            known[i] = value
        elif isinstance(node, Nonlinear):
            point = tuple(known[a] for a in node.args)
            known[i], swept[i] = along(one.relaxation, i, one.chosen[i], point)
        elif isinstance(node, Grouped):
            line, point = one.chosen[i], (known[node.args[0]],)
            assert line.planes is not None
            known[i], swept[i] = line.planes.along(point[0]), replace(line, point=point)
    return swept, None if target is None else known[target]


def follow_line(relaxation: Relaxation, i: int, line: Chosen, point: Slopes) -> tuple[Tensor, Chosen]:
    """(value of nonlinear node i on its lines at the point, the lines with it)."""
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if lines.hot is not None and line.step is not None:
        value, uphill = kernels.gradient(lines.hot, line.coefficients, lines.boxes, line.step, point)
        return value, replace(line, point=point, uphill=uphill)
    value = line.intercept
    for k, v in zip(line.slopes, point, strict=True):
        value = torch.addcmul(value, k, v)
    return value, replace(line, point=point)


def _reached(network: Network, asked: Iterable[int]) -> list[int]:
    """The nodes after the input that the values of those asked for depend on, and these, in order."""
    reach = set(asked)
    waiting = list(reach)
    while waiting:
        fresh = set(_arguments(network, waiting.pop())) - reach - {0}
        reach |= fresh
        waiting += fresh
    return sorted(reach)


def _arguments(network: Network, i: int) -> tuple[int, ...]:
    """The nodes that the value of node i is computed from."""
    node = network.nodes[i]
    if isinstance(node, Affine):
        return tuple(source for source, _ in node.terms)
    return network.sources(i)[:1] if isinstance(node, Grouped) else network.sources(i)


def gradient(line: Chosen) -> Slopes:
    """∂bound/∂slope of a swept line: A·(v − x*), x* its touching point (envelope theorem), v the argument's
    value.
    """
    if line.uphill:
        return line.uphill
    return tuple(line.coefficients * (v - t) for v, t in zip(line.point, line.touch, strict=True))


def add(forms: dict[int, Tensor], node: int, form: Tensor) -> None:
    """Add a form to what is known of a node."""
    forms[node] = forms[node] + form if node in forms else form
