"""Bounding methods by name: how hidden intervals, outputs and rows of the outputs are bounded.

`known` holds a method per file; `rows` bounds linear functions of the outputs by any of them; `asked` checks
what people pass.
"""

from __future__ import annotations

import difflib

from genbab.bounds.engine import Engine
from genbab.bounds.methods.asked import boxes, matrix_of_rows
from genbab.bounds.methods.known import KNOWN
from genbab.bounds.methods.rows import LinearBounds, row_ranges
from genbab.errors import UsageError
from genbab.network.roundoff import Interval

METHODS = tuple(KNOWN)
"""Names of the methods; what each does is its `about`."""

SYNONYMS = {other: method.name for method in KNOWN.values() for other in method.synonyms}
"""Other names of methods, in small letters."""

__all__ = [
    "METHODS",
    "SYNONYMS",
    "LinearBounds",
    "boxes",
    "matrix_of_rows",
    "method_named",
    "node_intervals",
    "row_ranges",
]


def method_named(name: str) -> str:
    """The method of `METHODS` meant, whatever the case; raises `UsageError` for anything else."""
    plain = str(name).strip().lower().replace("_", "-")
    found = SYNONYMS.get(plain, plain)
    if found not in METHODS:
        close = difflib.get_close_matches(plain, [*METHODS, *SYNONYMS], 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        known = ", ".join([*METHODS, "IBP", "CROWN", "alpha-CROWN"])
        raise UsageError(f"method {name!r}{hint}: must be one of {known}")
    return found


def node_intervals(
    engine: Engine, box: Interval, method: str, steps: int, outputs: bool = True
) -> list[Interval]:
    """Sound intervals (B, N) of every node by a method of `METHODS`; steps: of slopes, where optimised.

    Without `outputs`, those of the output node are as cheap as they come.
    """
    return KNOWN[method].hidden(engine, box, steps, outputs)
