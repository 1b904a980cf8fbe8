"""Nonlinear functions as records of facts, and what follows from them: ranges, sound lines, good slopes."""

from __future__ import annotations

from genbab.nonlinear import functions as _library  # noqa: F401 - fills the registry
from genbab.nonlinear.composed.composed import compose
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import REGISTRY, functions, kernel_of, make, register
from genbab.nonlinear.lines.conjugate import Prepared, intercept, prepare
from genbab.nonlinear.lines.envelope import default_slopes, slope_range, slope_spans
from genbab.nonlinear.lines.interval import interval
from genbab.nonlinear.lines.pair_slopes import default_slopes2, slope_range2
from genbab.nonlinear.lines.product import (
    Bivariate,
    Gate,
    Prepared2,
    Product,
    intercept2,
    interval2,
    prepare2,
)

__all__ = [
    "REGISTRY",
    "Bivariate",
    "Expression",
    "Gate",
    "Nonlinearity",
    "Prepared",
    "Prepared2",
    "Product",
    "compose",
    "default_slopes",
    "default_slopes2",
    "functions",
    "intercept",
    "intercept2",
    "interval",
    "interval2",
    "kernel_of",
    "make",
    "prepare",
    "prepare2",
    "register",
    "slope_range",
    "slope_range2",
    "slope_spans",
]
