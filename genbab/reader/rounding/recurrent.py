"""What programs round in recurrent operators: gates with sums in any order, and their functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from genbab.network import Affine, Network, Nonlinear
from genbab.network.rounding.counts import literally
from genbab.network.rounding.elementary import Pieces
from genbab.network.rounding.formats import Format
from genbab.network.rounding.steps import Rounding
from genbab.nonlinear import Nonlinearity
from genbab.reader.convert.convert import Lowered
from genbab.reader.rounding.ends import size_of
from genbab.reader.rounding.kinds import COMPLEMENTS, KEEPING
from genbab.reader.rounding.known import absolutely
from genbab.reader.tensors.values import Inexact, Masked, Refused, Var

BIASES, RECURRENCE = 3, 2
"""Which inputs of a recurrent operator hold these."""

MORE = 3.0
"""Terms of a gate beside products of inputs and of states: two biases and a peephole."""


def of_recurrent(
    network: Network, step: Lowered, form: Format, pieces: Callable[[Nonlinearity], Pieces]
) -> Iterator[tuple[int, Rounding]]:
    """The nodes of a recurrent operator with what is rounded there; `pieces`: what is known of its functions.

    A gate is one sum of products of inputs and of states, of both biases and a peephole: each of its nodes is
    charged for all additions, at its own terms. The lowered constant is the biases' sum: what they cancel is
    charged for here.
    """
    whole, size = _terms(step), _largest_biases(step)
    if size > form.largest / 8.0:
        raise Refused("biases next to the end of the range")
    absolute = float(form.gamma(2.0 * whole + 8.0)) * size
    for i in range(step.first, step.last):
        node = network.nodes[i]
        if isinstance(node, Affine):
            found = literally(node, form, 1, whole)
            if found is not None:
                yield i, replace(found, absolute=found.absolute + absolute)
        elif not isinstance(node, Nonlinear):
            raise Refused("what it rounds is not known")
        elif not isinstance(node.fn, Nonlinearity):
            yield i, Rounding(unit=form.unit, absolute=form.tiny)
        elif node.fn.name not in KEEPING:
            known = pieces(node.fn)
            if step.op.kind in COMPLEMENTS:
                known = absolutely(known, form.unit)
            yield i, Rounding(function=known)


def _terms(step: Lowered) -> float:
    """The most terms of a gate."""
    x, r = step.inputs[0], step.inputs[RECURRENCE]
    assert isinstance(x, Var | Masked | np.ndarray | Inexact) and isinstance(r, np.ndarray | Inexact)
    return float(x.shape[-1] + r.shape[-1]) + MORE


def _largest_biases(step: Lowered) -> float:
    """The largest |Wb| + |Rb| of a gate."""
    value = step.inputs[BIASES] if len(step.inputs) > BIASES else None
    if value is None:
        return 0.0
    size = size_of(value)
    half = size.shape[-1] // 2
    return float((size[..., :half] + size[..., half:]).max(initial=0.0))
