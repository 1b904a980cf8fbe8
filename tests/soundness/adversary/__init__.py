"""Hard cases with known answers, by kind: what a standing adversary of wrong verdicts tries."""

from __future__ import annotations

from collections.abc import Callable

from .affine import affine, folding
from .cases import Case, Outcome, examined, kept, replayed
from .conjunctions import conjunctions
from .integers import integers
from .needles import needles
from .odd_specs import odd_specs
from .quadratics import quadratics
from .range_ends import range_ends
from .smooth import smooth
from .undefined import undefined

KINDS: dict[str, Callable[[int], Case]] = {
    "affine": affine,
    "folded": folding,
    "range_ends": range_ends,
    "smooth": smooth,
    "undefined": undefined,
    "integers": integers,
    "needles": needles,
    "odd_specs": odd_specs,
    "conjunctions": conjunctions,
    "quadratics": quadratics,
}
"""Kind to the case of a seed."""

__all__ = ["KINDS", "Case", "Outcome", "examined", "kept", "replayed"]
