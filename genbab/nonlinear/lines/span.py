"""How far the slopes of undominated lines reach: the natural step of a slope, per side.

Lines below f on a box that no other line beats have the slopes of its convex envelope, from one end of the
box to the other; for an upper line of a convex function that is the chord alone, and moving its slope can
only lose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.shape import Shape, shape
from genbab.nonlinear.lines.box import make_box
from genbab.nonlinear.lines.envelope import Pair, range_of
from genbab.nonlinear.lines.lean import Searcher

_NONE = 1e29


def slope_spans(fn: Nonlinearity, l: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
    """(lower, upper): width of the range of the convex (concave) envelope's slopes on [l, u]; finite, >= 0.

    Exact for convex, concave and S-shaped functions; otherwise the width of the range of the derivative.
    """
    searcher = Searcher(make_box(fn, l.detach(), u.detach()))
    return spans_of(searcher, range_of(searcher))


def spans_of(searcher: Searcher, slopes: Pair) -> Pair:
    """`slope_spans` of a box that is ready for the search; slopes: its `range_of`."""
    fn, (low, high) = searcher.box.fn, slopes
    whole, none = high - low, torch.zeros_like(low)
    kind = shape(fn)
    if kind is Shape.CONVEX:
        return whole, none
    if kind is Shape.CONCAVE:
        return none, whole
    if kind is not Shape.S:
        return whole, whole
    at_l, at_u = fn.derivative(searcher.box.l), fn.derivative(searcher.box.u)
    rising = fn.curvature[0] == 1
    spans = []
    for (tie, touch), left_half in zip(searcher.ties, (rising, not rising), strict=True):
        near, far, end = (at_l, at_u, searcher.box.l) if left_half else (at_u, at_l, searcher.box.u)
        last = torch.where(tie.abs() > _NONE, far, tie)
        spans.append(torch.where(touch == end, none, (last - near).abs()).nan_to_num(0.0, 0.0, 0.0))
    return spans[0], spans[1]
