"""Whether a premise can happen: three answers, within a part of the time left."""

from __future__ import annotations

import numpy as np
import pytest

from genbab.driver.vacuity import FOLLOWED, OPEN, SECONDS, SHARE, VACUOUS, vacuity
from genbab.errors import ResourceError
from genbab.result import Counterexample, Result, Verdict
from genbab.system.deadline import Deadline
from genbab.system.schedule import RunSchedule

EXAMPLE = Counterexample(np.zeros(1), np.zeros(1), 0)
ANSWERS = {
    Verdict.VERIFIED: (VACUOUS, True),
    Verdict.FALSIFIED: (FOLLOWED, False),
    Verdict.UNKNOWN: (OPEN, None),
    Verdict.TIMEOUT: (OPEN, None),
}


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("left", [1.0, 1000.0, None])
def test_a_verdict_on_the_premise_is_a_sentence(verdict: Verdict, left: float | None) -> None:
    limits: list[Deadline] = []

    def ask(within: RunSchedule) -> Result:
        limits.append(within.deadline)
        return Result(verdict, 0.0, None, "why", EXAMPLE if verdict is Verdict.FALSIFIED else None)

    said, facts = vacuity(ask, RunSchedule(Deadline(left)))
    assert (said, facts["vacuous"]) == ANSWERS[verdict]
    assert limits[0].seconds is not None
    assert limits[0].seconds <= min(SECONDS, SECONDS if left is None else SHARE * left)


def test_an_error_leaves_it_open() -> None:
    def ask(_: RunSchedule) -> Result:
        raise ResourceError("not enough memory")

    assert vacuity(ask, RunSchedule(Deadline())) == (OPEN, {"vacuous": None})
