"""What is known of all steps of a program when everything is bounded as tightly as it goes."""

from __future__ import annotations

import numpy as np

from genbab.check.intervals import Pair
from genbab.check.model.program import NormedStep, Program, SoftmaxStep, Wire
from genbab.check.model.values import Values, evaluate, extend
from genbab.check.passes.backward import Chosen, bounded, tightened
from genbab.check.passes.forward import Bands


def tight(program: Program, box: Pair) -> Values:
    """Values with bands, and with every step bounded backward."""
    values = Values([box])
    bands = Bands(program, values)
    for number in range(1, len(program.steps)):
        extend(program, values, {})
        bands.meet(values)
        values.ranges[number] = tightened(program, values, number)
    return values


def holds_for_rows(
    program: Program, box: Pair, kind: type[SoftmaxStep | NormedStep], rng: np.random.Generator
) -> None:
    """No bound of random rows of the output y is above it, whatever points or slopes a hint names."""
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    rows = rng.normal(size=(3, program.size(out.step)))
    hints = {
        n: Chosen([rng.normal(size=(3, step.size))], None, np.arange(3))
        for n, step in enumerate(program.steps)
        if isinstance(step, kind)
    }
    assert hints
    plain, known = evaluate(program, box), tight(program, box)
    found = [bounded(program, v, out.step, rows, h) for v in (plain, known) for h in (None, hints)]
    assert all(np.isfinite(bound).all() for bound in found)
    for i in range(80):
        share = rng.random(box[0].shape) if i % 2 else rng.integers(0, 2, box[0].shape).astype(float)
        x = np.clip(box[0] + (box[1] - box[0]) * share, *box)
        at = evaluate(program, (x, x)).ranges
        y = at[out.step][0] @ rows.T
        assert all((bound <= y + 1e-10 * (1 + np.abs(y))).all() for bound in found)
        for (low, high), z in zip(known.ranges, at, strict=True):
            assert (low <= z[1] + 1e-12).all() and (z[0] <= high + 1e-12).all()
