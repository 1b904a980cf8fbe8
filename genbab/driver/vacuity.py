"""Whether the premise of a verified statement, what it takes for granted, can happen at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genbab.errors import GenbabError
from genbab.result import Result, Verdict
from genbab.system.schedule import RunSchedule

SECONDS = 5.0
"""The longest that is looked for an input that follows the premise."""

SHARE = 0.5
"""Of the time that is left, at most."""

VACUOUS = "verified (vacuously): no input of the region follows the constraints on hidden neurons"
FOLLOWED = "an input of the region that follows the constraints on hidden neurons is known"
OPEN = "whether an input of the region follows the constraints on hidden neurons was not decided"


def vacuity(ask: Callable[[RunSchedule], Result], schedule: RunSchedule) -> tuple[str, dict[str, Any]]:
    """(a sentence, statistics): whether some input follows the premise, by attack and by bounds.

    ask: verifies within a time limit that no input does. "vacuous": true where bounds show that none does,
    false where one does in onnxruntime, else None.
    """
    try:
        limit = schedule.limit(min(SECONDS, SHARE * schedule.left()))
        found = ask(RunSchedule(limit, schedule.clock))
    except GenbabError:
        return OPEN, {"vacuous": None}
    if found.verdict is Verdict.VERIFIED:
        return VACUOUS, {"vacuous": True}
    if found.verdict is Verdict.FALSIFIED:
        return FOLLOWED, {"vacuous": False}
    return OPEN, {"vacuous": None}
