"""Whether what a verified statement takes for granted can happen at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genbab.config import Config
from genbab.errors import GenbabError
from genbab.reader import Model
from genbab.result import Result, Verdict
from genbab.specs import Spec
from genbab.system.deadline import Deadline

if TYPE_CHECKING:
    from genbab.driver.run import Run

SECONDS = 5.0
"""The longest that is looked for an input that does what is taken for granted."""

SHARE = 0.5
"""Of the time that is left, at most."""

VACUOUS = "verified (vacuously): no input of the region follows the constraints on hidden neurons"
FOLLOWED = "an input of the region that follows the constraints on hidden neurons is known"
OPEN = "whether an input of the region follows the constraints on hidden neurons was not decided"


def vacuity(
    run: Callable[..., Run], model: Model, premises: Spec, config: Config, deadline: Deadline
) -> tuple[str, dict[str, Any]]:
    """(a sentence, statistics): whether some input does what is taken for granted, by attack and by bounds.

    "vacuous": true where bounds show that none does, false where one does in onnxruntime, else None.
    """
    limit = Deadline(min(SECONDS, SHARE * deadline.left()))
    try:
        found: Result = run(model, premises, config, limit, time.monotonic(), lambda _: None).decide()
    except GenbabError:
        return OPEN, {"vacuous": None}
    if found.verdict is Verdict.VERIFIED:
        return VACUOUS, {"vacuous": True}
    if found.verdict is Verdict.FALSIFIED:
        return FOLLOWED, {"vacuous": False}
    return OPEN, {"vacuous": None}
