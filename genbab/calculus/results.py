"""What certified questions about derivatives are answered with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class EnclosureStatus(StrEnum):
    """How an enclosure ended: as narrow as asked for, out of time, or with a norm that is larger."""

    ENCLOSED = "enclosed"
    TIMEOUT = "timeout"
    FROBENIUS = "frobenius"


@dataclass(frozen=True, eq=False)
class CertifiedMaximum:
    """lower <= the largest value on the box <= upper.

    upper: certified over the reals; lower: attained in onnxruntime at the input at (D,), minus infinity where
    nothing was seen; boxes: so many were bounded.
    """

    lower: float
    upper: float
    at: Floats
    status: EnclosureStatus
    seconds: float
    boxes: int

    def __str__(self) -> str:
        """One line."""
        return f"{self.lower:.6g} <= maximum <= {self.upper:.6g} ({self.status}, {self.seconds:.2f} s)"


@dataclass(frozen=True, eq=False)
class DerivativeRange:
    """The derivative of output `output` by input `input` on the box.

    lower <= least_seen and greatest_seen <= upper. lower, upper: certified over the reals; least_seen,
    greatest_seen: found by onnxruntime at the inputs least_at, greatest_at (D,).
    """

    output: int
    input: int
    lower: float
    least_seen: float
    greatest_seen: float
    upper: float
    least_at: Floats
    greatest_at: Floats


class Trend(StrEnum):
    """How an output moves with an input: with every larger input it does not fall, rise, change at all."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    CONSTANT = "constant"
    NEITHER = "neither"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Monotonicity:
    """How output `output` moves with input `input` on the box.

    lower <= the derivative <= upper, certified as far as the sign needs it. falls, rises: inputs (D,) at
    which onnxruntime finds a derivative below (above) 0, None where none was seen.
    """

    output: int
    input: int
    trend: Trend
    lower: float
    upper: float
    falls: Floats | None
    rises: Floats | None


@dataclass(frozen=True, eq=False)
class Decrease:
    """Whether V falls along all trajectories that start in the region.

    certified: dV/dt < 0 at every point, and at most upper; refuted: at the input at (D,) onnxruntime finds it
    to be lower >= 0; else nothing is known.
    """

    certified: bool
    refuted: bool
    lower: float
    upper: float
    at: Floats
    seconds: float

    def __str__(self) -> str:
        """One line."""
        word = "decreases" if self.certified else "does not decrease" if self.refuted else "unknown"
        return f"V {word}: {self.lower:.6g} <= largest dV/dt <= {self.upper:.6g} ({self.seconds:.2f} s)"
