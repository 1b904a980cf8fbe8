"""How a run ends, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genbab.branch import SearchOutcome, Status
from genbab.errors import ResourceError
from genbab.result import Counterexample


class Hopeless(Exception):  # noqa: N818 - an event
    """Nothing can be proved, for this reason: a clause is attained, if only with equality."""


@contextmanager
def memory_errors() -> Iterator[None]:
    """A block whose lack of memory becomes a `ResourceError`."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ResourceError(f"not enough memory ({error}); try a smaller --memory") from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise ResourceError("not enough memory; try a smaller --memory") from error


def refuted(exactly: int, arithmetic: str = "real", elementary: str = "") -> str:
    """Why a property is verified; exactly: how many clauses rational arithmetic refuted."""
    more = f", {exactly} of them in rational arithmetic, where equality is excluded" if exactly else ""
    if arithmetic != "real":
        more += f", in every execution of the file's operators in {arithmetic} (functions: {elementary})"
    return f"every clause of the specification is refuted on every box{more}"


def unproved(why: str) -> str:
    """Why a run ends undecided where nothing can be proved."""
    return f"{why}: nothing can be proved, and no attack found a counterexample"


def found_at(example: Counterexample, arithmetic: str = "real") -> str:
    """What is known of a counterexample to a property in this arithmetic."""
    said = f"a counterexample to clause {example.clause} was found and replayed in onnxruntime"
    if not example.distance:
        return said
    also = ", and a point of the box itself violates the clause over the real numbers"
    return (
        f"{said}; no {example.x.dtype.name} lies in the box at some inputs: they have the nearest one, at a "
        f"distance of at most {example.distance:.3g}{also if arithmetic == 'real' else ''}"
    )


def without_proof(outcome: SearchOutcome, reachable: bool) -> str:
    """Why a search ended without a proof, "" where it is one; reachable: whether anything was attacked."""
    if outcome.status is Status.VERIFIED:
        return ""
    if outcome.status is Status.STUCK and not reachable:
        return f"{outcome.message}; no float32 input lies in the box, so none was attacked"
    return outcome.message
