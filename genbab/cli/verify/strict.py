"""The answer `sat` as the VNN-LIB standard means it: the assignment satisfies the query as it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.result import Result, Verdict

if TYPE_CHECKING:
    from genbab.cli.verify.assignment import Assignment


def exactly(result: Result, query: Path, assignment: Assignment) -> Result:
    """The result, if its assignment satisfies the query exactly; else unknown.

    A specification judges its points by the numbers of the text; here they are judged by the text itself.
    """
    from genbab.specs import satisfies

    found = result.counterexample
    if found is None:
        return result
    values = {v.tensor.name: v.numbers.tolist() for v in assignment.values(found)}
    if satisfies(query, values):
        return result
    reason = "the input that was found does not satisfy the query as it is written"
    return replace(result, verdict=Verdict.UNKNOWN, counterexample=None, reason=reason)
