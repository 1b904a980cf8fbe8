"""The largest (or least) value of one output on a box, enclosed from both sides."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from genbab.api import bounds, verify
from genbab.attack import Replayer
from genbab.config import Config
from genbab.errors import DeadlineReached
from genbab.reader import Model
from genbab.result import Verdict
from genbab.specs import Clause, Spec
from genbab.studies.data import Floats
from genbab.studies.store import Answer

SHARE = 0.34
"""Share of the time left that one verification may take."""


def extreme(model: Model, lower: Floats, upper: Floats, details: Mapping[str, Any], config: Config) -> Answer:
    """An enclosure of the maximum of details["sign"] * output number details["output"] on the box.

    certified: no input of the box gives more (over the reals); attained: onnxruntime gives this much at the
    input "at". Halved by verification of the middle until no wider than details["tolerance"] times the width
    of the first enclosure, or until the time is up.
    """
    end = time.monotonic() + (float("inf") if config.timeout is None else config.timeout)
    sign, number = float(details["sign"]), int(details["output"])
    row = np.zeros((1, model.network.output_size))
    row[0, number] = sign
    certified = _outer(model, (lower, upper), row, config)
    at, attained = _start(model, lower, upper, row[0])
    first = certified - attained
    steps, undecided = 0, False
    while (
        certified - attained > float(details["tolerance"]) * first
        and time.monotonic() < end
        and not undecided
    ):
        middle = (certified + attained) / 2
        if not attained < middle < certified:
            break
        spec = Spec(lower[None], upper[None], (Clause(0, -row, None, np.array([-middle])),), row.shape[1])
        left = end - time.monotonic()
        limit = None if left == float("inf") else max(1e-3, SHARE * left)
        result = verify(model, spec, config.with_(timeout=limit))
        steps += 1
        if result.verdict is Verdict.VERIFIED:
            certified = middle
        elif result.counterexample is not None:
            found = result.counterexample
            at, attained = found.x.astype(np.float64), max(middle, float(row[0] @ found.y.astype(np.float64)))
        else:
            undecided = True
    narrow = np.isfinite(first) and certified - attained <= float(details["tolerance"]) * first
    if narrow:
        reason = "enclosed within the tolerance"
    elif not np.isfinite(first):
        reason = (
            "no value is known to be attained, or no bound is finite: the model may not run in onnxruntime"
        )
    else:
        reason = "the time is up; try a longer timeout"
    known = {"certified": certified, "attained": attained, "at": at.tolist(), "steps": steps}
    return Answer("verified" if narrow else "unknown", 0.0, certified - attained, reason, result=known)


def _outer(model: Model, box: tuple[Floats, Floats], row: Floats, config: Config) -> float:
    for method in ("optimised", "interval"):
        try:
            chosen = config if method == "optimised" else config.with_(timeout=None)
            return float(bounds(model, *box, method, chosen, C=row)[1])
        except DeadlineReached:
            continue
    return float("inf")


def _start(model: Model, lower: Floats, upper: Floats, row: Floats) -> tuple[Floats, float]:
    """The best of the centre and both corners, as onnxruntime has it; minus infinity where it cannot run."""
    if not model.replayable:
        return (lower + upper) / 2, float("-inf")
    replayer, best = Replayer(model), ((lower + upper) / 2, float("-inf"))
    spec = Spec(lower[None], upper[None], (), row.size)
    for x in ((lower + upper) / 2, lower, upper):
        inside = replayer.rounded(spec, x)
        if inside is not None:
            value = float(row @ replayer.replay(inside))
            if np.isfinite(value) and value > best[1]:
                best = (inside, value)
    return best
