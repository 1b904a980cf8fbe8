"""The largest (or least) value of one output on a box, enclosed from both sides."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
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
from genbab.studies.records.questions import StudyAnswer

SHARE = 0.34
"""Share of the time left that one verification may take."""


@dataclass
class Enclosure:
    """attained <= the maximum <= certified.

    Values between low and high were asked about in vain (at first there are none: low > high); at (D,): the
    input that gives `attained`.
    """

    certified: float
    attained: float
    at: Floats
    low: float = float("inf")
    high: float = float("-inf")

    @property
    def next(self) -> tuple[float, float]:
        """The value to ask about, in the middle of the wider open part, and how wide that part is."""
        if self.low > self.high:
            return (self.certified + self.attained) / 2, self.certified - self.attained
        above, below = self.certified - self.high, self.low - self.attained
        if above >= below:
            return (self.certified + self.high) / 2, above
        return (self.low + self.attained) / 2, below

    def verified(self, value: float) -> None:
        """No input gives more than this."""
        self.certified = value
        self._forget()

    def seen(self, value: float, at: Floats) -> None:
        """This input gives this much."""
        self.attained, self.at = value, at
        self._forget()

    def undecided(self, value: float) -> None:
        """Whether some input gives more than this was not decided."""
        self.low, self.high = min(self.low, value), max(self.high, value)

    def _forget(self) -> None:
        """Values that are decided by now are no longer open."""
        self.low, self.high = max(self.low, self.attained), min(self.high, self.certified)


def extreme(
    model: Model, lower: Floats, upper: Floats, details: Mapping[str, Any], config: Config
) -> StudyAnswer:
    """An enclosure of the maximum of details["sign"] * output number details["output"] on the box.

    certified: no input of the box gives more (over the reals); attained: onnxruntime gives this much at the
    input "at". Halved by verification of the middle (where that is not decided, of the parts above and below)
    until no wider than details["tolerance"] times the width of the first enclosure, or until the time is up.
    """
    end = time.monotonic() + (float("inf") if config.timeout is None else config.timeout)
    sign, number = float(details["sign"]), int(details["output"])
    row = np.zeros((1, model.network.output_size))
    row[0, number] = sign
    at, attained = _start(model, lower, upper, row[0])
    known = Enclosure(_outer(model, (lower, upper), row, config, end), attained, at)
    first, steps = known.certified - attained, 0
    while known.next[1] > float(details["tolerance"]) * first and time.monotonic() < end:
        middle = known.next[0]
        if not known.attained < middle < known.certified or middle in (known.low, known.high):
            break
        spec = Spec(lower[None], upper[None], (Clause(0, -row, None, np.array([-middle])),), row.shape[1])
        left = end - time.monotonic()
        limit = None if left == float("inf") else max(1e-3, SHARE * left)
        result = verify(model, spec, config.with_(timeout=limit))
        steps += 1
        if result.verdict is Verdict.VERIFIED:
            known.verified(middle)
        elif (found := result.counterexample) is not None:
            value = float(row[0] @ found.y.astype(np.float64))
            known.seen(max(middle, value), found.x.astype(np.float64))
        else:
            known.undecided(middle)
    return _answer(known, first, sign, float(details["tolerance"]), steps)


def _answer(known: Enclosure, first: float, sign: float, tolerance: float, steps: int) -> StudyAnswer:
    width = known.certified - known.attained
    narrow = np.isfinite(first) and width <= tolerance * first
    if narrow:
        reason = "enclosed within the tolerance"
    elif not np.isfinite(first):
        reason = (
            "no value is known to be attained, or no bound is finite: the model may not run in onnxruntime"
        )
    elif known.low <= known.high:
        values = sorted(f"{sign * v:.6g}" for v in {known.low, known.high})
        reason = f"at {' and '.join(values)} neither was shown in the time given; try a longer timeout"
    else:
        reason = "the time is up; try a longer timeout"
    result = {"certified": known.certified, "attained": known.attained, "at": known.at.tolist()}
    verdict = "verified" if narrow else "unknown"
    return StudyAnswer(verdict, 0.0, width, reason, result={**result, "steps": steps})


def _outer(model: Model, box: tuple[Floats, Floats], row: Floats, config: Config, end: float) -> float:
    """The least upper bound of the row that is proved until the time is up.

    The first method has all the time it takes.
    """
    best = float(bounds(model, *box, "interval", config.with_(timeout=None), C=row)[1])
    best = float("inf") if np.isnan(best) else best
    for method in ("backward", "optimised"):
        left = end - time.monotonic()
        try:
            limit = None if left == float("inf") else max(1e-3, left)
            best = min(best, float(bounds(model, *box, method, config.with_(timeout=limit), C=row)[1]))
        except DeadlineReached:
            break
    return best


def _start(model: Model, lower: Floats, upper: Floats, row: Floats) -> tuple[Floats, float]:
    """The best of the centre and both corners, as onnxruntime has it; minus infinity where it cannot run."""
    if not model.replayable:
        return (lower + upper) / 2, float("-inf")
    replayer, best = Replayer(model), ((lower + upper) / 2, float("-inf"))
    spec = Spec(lower[None], upper[None], (), row.size)
    for x in ((lower + upper) / 2, lower, upper):
        inside = replayer.placed(spec, x)
        if inside is not None:
            value = float(row @ replayer.replay(inside.x))
            if np.isfinite(value) and value > best[1]:
                best = (inside.x, value)
    return best
