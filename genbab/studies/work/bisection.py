"""The largest radius around a sample that is certified, and the smallest that is broken."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genbab.api import attack, bounds, verify
from genbab.config import Config
from genbab.driver import on_integers
from genbab.errors import DeadlineReached
from genbab.nap import Pattern
from genbab.network import lifted
from genbab.reader import Model
from genbab.result import Counterexample, Verdict
from genbab.specs import Spec
from genbab.studies.data import Floats
from genbab.studies.radius import distance
from genbab.studies.records.questions import StudyAnswer
from genbab.studies.work.balls import ball

GRID = 16
"""Radii bounded at once before anything is bisected."""

FINEST = 1e-4
"""The smallest radius of that grid, as a share of the largest."""

SHARE = 0.34
"""Share of the time left that one verification may take."""


@dataclass
class Bracket:
    """What is known of the radius around one sample.

    certified <= the true radius; broken: a counterexample is that far; undecided: the search gave up there;
    steps: [radius, verdict, seconds] of each verification; found: the counterexample, for JSON.
    """

    certified: float
    broken: float
    undecided: float
    steps: list[list[Any]]
    found: dict[str, Any] | None = None

    @property
    def ceiling(self) -> float:
        """No larger radius is asked about."""
        return min(self.broken, self.undecided)


def radius(
    model: Model, x: Floats, details: Mapping[str, Any], config: Config, known: dict[str, Any]
) -> StudyAnswer:
    """Bisection between the largest certified and the smallest broken or undecided radius, warm-started.

    A grid of radii is bounded first; a counterexample lowers the ceiling to its own distance. Where the first
    open radius is undecided, the attack alone is tried on the largest, so that something is broken. Ends when
    the bracket is within details["tolerance"] of its ceiling, or when the time of the settings is up.
    """
    largest, tolerance = float(details["eps"]), float(details["tolerance"])
    end = time.monotonic() + (float("inf") if config.timeout is None else config.timeout)
    bracket = Bracket(0.0, float("inf"), float("inf"), [])
    bracket.certified = warm(model, x, details, config)
    tried = False
    while bracket.certified < largest and time.monotonic() < end:
        _ask(model, x, details, config, (bracket, _next(bracket, largest), end))
        if bracket.undecided < largest and bracket.broken == float("inf") and not tried:
            tried = True
            found = attack(model, ball(model, x, details, largest), _within(config, end))
            _break(bracket, x, details, largest, found)
        if bracket.ceiling * (1.0 - tolerance) <= bracket.certified:
            break
    answer = _answer(bracket, largest, known)
    if "pattern" in details and not Pattern.from_dict(details["pattern"]).follows(model, x[None])[0]:
        reason = f"{answer.reason}; the sample itself does not follow the pattern, only others near it may"
        answer = replace(answer, reason=reason)
    return answer


def warm(model: Model, x: Floats, details: Mapping[str, Any], config: Config) -> float:
    """The largest radius of a grid that default slopes certify, for all inputs; 0.0 if none.

    Balls that are boxes are all bounded together, others one after the other by bisection of the grid.
    """
    radii = (float(details["eps"]) * np.geomspace(FINEST, 1.0, GRID)).tolist()
    plain = {k: v for k, v in details.items() if k != "pattern"}
    balls = [ball(model, x, plain, r) for r in radii]
    try:
        if details["norm"] == "inf":
            proved = np.flatnonzero(_proved(model, balls, config))
            return float(radii[proved[-1]]) if proved.size else 0.0
        low, high = -1, GRID
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _proved(model, [balls[middle]], config)[0] else (low, middle)
    except DeadlineReached:
        return 0.0
    return float(radii[low]) if low >= 0 else 0.0


def _proved(model: Model, balls: list[Spec], config: Config) -> NDArray[np.bool_]:
    """Which balls (of one norm) keep every margin above 0, by default slopes."""
    rows = torch.from_numpy(np.concatenate([c.outputs for c in balls[0].clauses]))
    low, high = (np.concatenate([getattr(b, end) for b in balls]) for end in ("lower", "upper"))
    model, _ = on_integers(model, balls[-1])
    network = lifted(model.network, balls[0]) if balls[0].balls else model.network
    margins = bounds(network, low, high, "CROWN", config, C=rows)[0]
    return np.asarray((margins.amin(1) > 0).cpu().numpy())


def _ask(
    model: Model, x: Floats, details: Mapping[str, Any], config: Config, now: tuple[Bracket, float, float]
) -> None:
    """Verify one radius and narrow the bracket."""
    bracket, eps, end = now
    result = verify(model, ball(model, x, details, eps), _within(config, end))
    bracket.steps.append([eps, result.verdict.value, round(result.seconds, 3)])
    if result.verdict is Verdict.VERIFIED:
        bracket.certified = max(bracket.certified, eps)
    elif result.counterexample is not None:
        _break(bracket, x, details, eps, result.counterexample)
    else:
        bracket.undecided = min(bracket.undecided, eps)


def _within(config: Config, end: float) -> Config:
    """The settings with a share of the time left."""
    left = end - time.monotonic()
    return config.with_(timeout=None if left == float("inf") else max(1e-3, SHARE * left))


def _break(
    bracket: Bracket, x: Floats, details: Mapping[str, Any], eps: float, found: Counterexample | None
) -> None:
    """Lower the ceiling to the distance of a counterexample found within eps."""
    if found is not None:
        away = distance(x, found.x.astype(np.float64), details["norm"])
        bracket.broken = min(bracket.broken, eps, away)
        bracket.found = found.to_dict()


def _next(bracket: Bracket, largest: float) -> float:
    """The radius to ask about: twice the certified one as long as none is out of reach, then the middle.

    The middle is one of ratios where the bracket spans more than a factor of four.
    """
    low, high = bracket.certified, bracket.ceiling
    if high == float("inf"):
        return min(largest, 2 * low) if low else largest
    low = max(low, FINEST * high)
    return float(np.sqrt(low * high)) if high > 4 * low else (low + high) / 2


def _answer(bracket: Bracket, largest: float, known: dict[str, Any]) -> StudyAnswer:
    broken = None if bracket.broken == float("inf") else bracket.broken
    result = {**known, "certified": bracket.certified, "broken": broken, "steps": bracket.steps}
    if bracket.certified >= largest:
        verdict, reason = "verified", "certified up to the largest radius asked about; try a larger one"
    elif bracket.undecided < bracket.broken:
        verdict = "unknown"
        reason = f"at {bracket.undecided:.4g} neither was shown in the time given; try a longer timeout"
    elif broken is None:
        verdict, reason = "timeout", "the time limit was reached; try a longer one"
    else:
        verdict, reason = (
            "falsified",
            f"a counterexample at distance {broken:.4g} was replayed in onnxruntime",
        )
    counterexample = {"counterexample": bracket.found}
    return StudyAnswer(verdict, 0.0, bracket.certified, reason, result={**result, **counterexample})
