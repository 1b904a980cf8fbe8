"""What drawing a counterexample takes."""

from __future__ import annotations

from typing import Any

from genbab.reader import Model
from genbab.result import Result
from genbab.specs import Spec

DRAWN = 20_000
"""The most inputs for which the box of a counterexample is kept."""


def drawn_at(model: Model, spec: Spec, result: Result) -> dict[str, Any]:
    """What drawing a counterexample takes: the shapes of the inputs, and its box."""
    ends = zip(model.input_names, model.input_shapes, strict=True)
    known: dict[str, Any] = {"inputs": [{"name": name, "shape": list(shape)} for name, shape in ends]}
    if (found := result.counterexample) is not None and found.x.size <= DRAWN:
        box = spec.clauses[found.clause].box
        low, high = ([float(f"{v:.7g}") for v in end[box].tolist()] for end in (spec.lower, spec.upper))
        known["box"] = {"lower": low, "upper": high}
    return known
