"""What a linear map makes of intervals of which either end may be infinite, with the signs of what it adds.

Weights above and below 0 are taken apart before anything is added, so that only numbers of one sign are
summed: a large weight hides no small one of the other sign.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap


class Image(NamedTuple):
    """What a map makes of x with low <= x <= high: least <= map(x) <= most, but for rounding, (M,) each.

    mass: the sizes of what finite ends add up, to which rounding is relative. falls (rises): where some
    product may be below (above) 0; grows (shrinks): where some product surely is above (below) 0.
    """

    least: Tensor
    most: Tensor
    mass: Tensor
    falls: Tensor
    rises: Tensor
    grows: Tensor
    shrinks: Tensor


def image(one: LinearMap, low: Tensor, high: Tensor) -> Image:
    """The image of intervals (N,), (N,); infinite where an end is no number."""
    low, high = _known_below(low), -_known_below(-high)
    ends = torch.stack([low, high])
    ends = torch.where(torch.isfinite(ends), ends, 0.0)
    above, below = _paths(one, torch.cat([ends, -ends]).clamp_min(0.0), marks=False)
    masks = torch.stack([low == -torch.inf, high == torch.inf, low < 0, high > 0, low > 0, high < 0])
    by_above, by_below = (paths > 0 for paths in _paths(one, masks.double(), marks=True))
    open_below, open_above = by_above[0] | by_below[1], by_above[1] | by_below[0]
    least = above[0] - above[2] - below[1] + below[3]
    most = above[1] - above[3] - below[0] + below[2]
    lighter = above[0] + above[2] + below[1] + below[3]
    heavier = above[1] + above[3] + below[0] + below[2]
    return Image(
        torch.where(open_below, -torch.inf, _beyond(least)),
        torch.where(open_above, torch.inf, -_beyond(-most)),
        _mass(torch.where(open_below, 0.0, lighter) + torch.where(open_above, 0.0, heavier)),
        falls=by_above[2] | by_below[3],
        rises=by_above[3] | by_below[2],
        grows=by_above[4] | by_below[5],
        shrinks=by_above[5] | by_below[4],
    )


def _known_below(low: Tensor) -> Tensor:
    """Lower bounds, and -inf where arithmetic gave no number; infinities stay what they are."""
    return torch.nan_to_num(low, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _mass(size: Tensor) -> Tensor:
    """Sizes, infinite where arithmetic gave no number."""
    return torch.nan_to_num(size, nan=torch.inf, posinf=torch.inf)


def _beyond(least: Tensor) -> Tensor:
    """Lower bounds that float64 holds where sums left its range: the difference of two such is none."""
    return torch.nan_to_num(least, nan=-torch.inf, posinf=torch.finfo(least.dtype).max, neginf=-torch.inf)


def _paths(one: LinearMap, x: Tensor, marks: bool) -> tuple[Tensor, Tensor]:
    """What x >= 0 (K, N) adds through weights whose product is above 0, and through those where it is below.

    marks: x says where something is (1) or nothing (0), and so does what comes out: nothing underflows.
    """
    above, below = x, torch.zeros_like(x)
    for part in one.parts:
        up, down = part.by_sign()
        kept = up.apply(above), up.apply(below)
        turned = (0.0, 0.0) if down is None else (down.apply(below), down.apply(above))
        above, below = kept[0] + turned[0], kept[1] + turned[1]
        if marks:
            above, below = (above > 0).to(x.dtype), (below > 0).to(x.dtype)
    return above, below
