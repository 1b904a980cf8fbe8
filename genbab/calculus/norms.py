"""Norms of Jacobians as outputs of models: what Lipschitz constants are the largest values of.

The gradient that a network of derivatives computes is that of the function at almost every input, whatever
it is at kinks: where an argument stays at a kink on a set of positive measure its gradient is 0 at almost
every point of that set. And a function that is Lipschitz on a convex set has the least constant that bounds
its gradient at almost every point (Rademacher; Federer, Geometric Measure Theory, 1969, 3.1.6 to 3.1.9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genbab.attack import Replayer
from genbab.calculus.results import CertifiedMaximum, EnclosureStatus
from genbab.network import Dense
from genbab.nonlinear import make
from genbab.reader import Model
from genbab.reader.derive.asked import differentiated_by
from genbab.reader.derive.model import made_of
from genbab.reader.derive.source import differentiable


def norm_of_jacobian(
    model: Model, outputs: Sequence[int], norm: float
) -> tuple[Model, int, Callable[[CertifiedMaximum], CertifiedMaximum]]:
    """(a model, how many of its outputs the largest counts of, what its maximum says of the constant).

    The further outputs are the entries of the Jacobian.
    """
    inputs = range(model.network.input_size)
    wanted = [(y, (x,)) for y in outputs for x in inputs]
    asked = differentiated_by(differentiable(model), wanted)
    sketch = asked.sketch
    sketch.label = f"norm {norm:g} of the Jacobian"
    entries = sketch.stacked([asked.place[one] for one in wanted])
    shape = len(outputs), len(inputs)
    if norm == 2:
        sizes, sums = sketch.power(entries, 2), torch.ones(1, shape[0] * shape[1]).double()
    else:
        sizes = sketch.applied(make("abs"), entries, shape[0] * shape[1])
        sums = _sums(shape, by_rows=norm == math.inf)
    total = sketch.affine([(sizes, Dense(sums))]) if sizes is not None else None
    rows = [(total, k) for k in range(len(sums))] + [(entries, k) for k in range(shape[0] * shape[1])]
    needs = [outputs] * len(sums) + [[y] for y, _ in wanted]
    made = made_of(model, asked.network(rows, needs), "norms")
    if norm != 2:
        return made, len(sums), lambda found: found
    return made, 1, lambda found: _spectral(made, found, shape)


def _sums(shape: tuple[int, int], by_rows: bool) -> Tensor:
    """The matrix that adds up entries (outputs, inputs) by output, or by input."""
    place = torch.arange(shape[0] * shape[1]).reshape(shape)
    sets = place if by_rows else place.mT
    made = torch.zeros(len(sets), shape[0] * shape[1], dtype=torch.float64)
    return made.scatter_(1, sets, 1.0)


def _spectral(model: Model, found: CertifiedMaximum, shape: tuple[int, int]) -> CertifiedMaximum:
    """From the largest square of the Frobenius norm to norm 2, which it is of one row or column."""
    upper = math.nextafter(math.sqrt(max(found.upper, 0.0)), math.inf)
    if min(shape) == 1:
        lower = math.sqrt(max(found.lower, 0.0)) if math.isfinite(found.lower) else found.lower
        return replace(found, lower=min(lower, upper), upper=upper)
    status = EnclosureStatus.FROBENIUS if found.status is EnclosureStatus.ENCLOSED else found.status
    lower = found.lower
    if math.isfinite(lower):
        jacobian = Replayer(model).replay(found.at)[1:].reshape(shape)
        lower = float(np.linalg.norm(jacobian, 2))
    return replace(found, lower=min(lower, upper), upper=upper, status=status)
