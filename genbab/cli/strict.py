"""The answer `sat` as the VNN-LIB standard means it: the assignment satisfies the query as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genbab.result import Result, Verdict

if TYPE_CHECKING:
    from genbab.cli.assignment import Assignment
    from genbab.result import Counterexample

INWARD = (1e-6, 1e-4, 0.0, 1e-2, 0.1)
"""How far from a bound that is excluded to the middle of the box a point is moved, as a share of the way."""


def exactly(result: Result, query: Path, assignment: Assignment) -> Result:
    """The result, if its assignment satisfies the query exactly; else one nearby that does; else unknown.

    Specifications have closed boxes whose bounds are rounded outward; a query may exclude a bound (`<`).
    """
    found = result.counterexample
    if found is None or _satisfies(query, assignment, found):
        return result
    for x in _inward(assignment, found):
        moved = _confirmed(assignment, x)
        if moved is not None and _satisfies(query, assignment, moved):
            return replace(result, counterexample=moved)
    reason = "the inputs that were found lie on bounds that the query excludes, and none nearby will do"
    return replace(result, verdict=Verdict.UNKNOWN, counterexample=None, reason=reason)


def _satisfies(query: Path, assignment: Assignment, found: Counterexample) -> bool:
    from genbab.specs import satisfies

    return satisfies(query, {v.tensor.name: v.numbers.tolist() for v in assignment.values(found)})


def _confirmed(assignment: Assignment, x: NDArray[Any]) -> Counterexample | None:
    from genbab.attack import Replayer

    return Replayer(assignment.model).confirm(assignment.spec, x)


def _inward(assignment: Assignment, found: Counterexample) -> Iterator[NDArray[Any]]:
    """Float32 points nearer to the middle of the box, by at least one number where they lie on its bounds."""
    spec = assignment.spec
    box = spec.clauses[found.clause].box
    low, high = spec.lower[box], spec.upper[box]
    x, middle = found.x.astype(np.float64), (low + high) / 2
    for share in INWARD:
        moved = (x + share * (middle - x)).astype(np.float32)
        at_low, at_high = moved <= low.astype(np.float32), moved >= high.astype(np.float32)
        moved = np.where(at_low, np.nextafter(moved, np.float32(np.inf)), moved)
        yield np.where(at_high & ~at_low, np.nextafter(moved, np.float32(-np.inf)), moved)
