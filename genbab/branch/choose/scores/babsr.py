"""BaBSR's estimate (Bunel et al., 2020), for any function: what the worse child gains."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.branch.choose.score import Gains, NamedScore, score_by, weaker
from genbab.branch.choose.view import DomainView


def plain_gains(view: DomainView, node: int) -> Gains:
    """BaBSR (Bunel et al., 2020) for any function: lines of least area before and after.

    The bias of the affine node before the neuron counts; what lies before that is ignored.
    """
    before = view.relaxation.network.affine.get(node)
    bias = view.last_pass.constant.new_zeros(()) if before is None else before.bias
    sides = []
    for cut in (view.domains.hidden[node], *view.cuts(node)):
        total: Tensor | float = 0.0
        for one in view.readings(node, cut):
            total = total + one.offset + one.slope * bias.to(one.slope.dtype)
        sides.append(total + view.last_pass.coefficients.new_zeros(1, 1, 1))
    gains = [torch.nan_to_num(side - sides[0], nan=0.0).clamp(min=0) for side in sides[1:]]
    extra = view.grouped(node)
    gains = gains if extra is None else [g + extra for g in gains]
    return gains[0], gains[1]


SCORE = NamedScore(lambda given: score_by(plain_gains, weaker))
