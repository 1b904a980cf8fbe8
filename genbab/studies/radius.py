"""Radii and norms as people write them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from genbab.errors import SpecError, UsageError
from genbab.specs.numbers.exact import exact
from genbab.specs.numbers.numbers import round_up
from genbab.specs.words.builders import BALLS
from genbab.studies.data import Floats


def radius_of(eps: Any, name: str = "eps") -> float:
    """The radius: a number, or a text as "0.03" or "8/255", rounded up to float64.

    Raises `UsageError` for anything that is not a finite number from 0.
    """
    try:
        value = round_up(exact(eps.item() if hasattr(eps, "item") else eps))
    except (SpecError, OverflowError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name} = {eps!r}: {error}") from error
    if value < 0:
        raise UsageError(f"{name} = {eps!r}: must not be negative")
    return value


def norm_of(norm: Any) -> str:
    """The norm's name in specifications, of "Linf", "l2", 2, inf and the like; raises `UsageError`."""
    number = isinstance(norm, int | float) and not isinstance(norm, bool)
    plain = f"{norm:g}" if number else str(norm).strip().lower()
    name = plain.removeprefix("l").lstrip("-_")
    if name not in BALLS:
        raise UsageError(f"norm {norm!r}: must be one of {', '.join(BALLS)}")
    return name


def distance(x: Floats, y: Floats, norm: str) -> float:
    """How far y (D,) is from x (D,)."""
    return float(np.linalg.norm(y - x, {"inf": math.inf}.get(norm) or float(norm)))
