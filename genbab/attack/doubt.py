"""Doubts about a proof: the network that was proved about beside onnxruntime, on inputs of the property."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genbab.attack.replay import Replayer
from genbab.attack.targets import Floats
from genbab.specs import Spec
from genbab.specs.form.clauses import Clauses
from genbab.system.schedule import RunSchedule

BOXES = 8
"""Boxes of one round, spread over all of them."""

PER_BOX = 6
"""Points of one box in one round."""

BATCH = 8
"""Points at which our network is evaluated at once."""

PART = 0.01
"""Of the time that the proof took, what more rounds than the first may take."""

MORE_SECONDS = 1.0
"""The longest that more rounds may take."""

REPLAYED = 2e-3
"""Seconds that what onnxruntime says of a point is worth, where work is counted."""

SHOWN = 90
"""Letters of the start, and of the end, of a long message of onnxruntime."""

SECOND = 8
"""Points at which onnxruntime's default session is looked at."""


@dataclass(frozen=True)
class Doubts:
    """What speaks against a proof, and what people should know of the sessions that it was compared in.

    reason: why the proof cannot be trusted, or ""; runtime: what people should know of onnxruntime's
    sessions, or ""; count: points that were compared.
    """

    reason: str = ""
    runtime: str = ""
    count: int = 0


@dataclass(frozen=True, eq=False)
class ProofCheck:
    """Compares the network of a proof with onnxruntime.

    ours: the network's outputs (B, O) at a batch of points (B, D) of the spec's variables, first those that
    the spec speaks of. judge: called with every point whose outputs in onnxruntime violate the spec.
    """

    replayer: Replayer
    spec: Spec
    ours: Callable[[Floats], Floats]
    judge: Callable[[Floats], None]

    def doubts(self, schedule: RunSchedule, seed: int) -> Doubts:
        """What onnxruntime says against the proof.

        One round of points is compared, or what the deadline leaves of it (one point at least), and more
        while they cost little beside the proof. Raises what `judge` raises.
        """
        spec, clock = self.spec, schedule.clock
        end = clock.now() + min(PART * schedule.elapsed(), MORE_SECONDS)
        spoken, seen = spoken_of(spec), list[tuple[Floats, Floats]]()
        for x, mine in self._beside(points(spec, seed)):
            late = len(seen) >= PER_BOX * min(BOXES, len(spec.lower)) and clock.now() > end
            if seen and (late or schedule.deadline.expired):
                break
            clock.worked(lambda: REPLAYED)
            y, why = self.replayer.answer(spec, x)
            if y is None:
                reason = f"the bounds are proved, but onnxruntime fails on an input of the property: {why}"
                return Doubts(reason, count=len(seen))
            seen.append((x, y))
            if self._violated(x, y):
                self.judge(x)
            if reason := self._against(spoken, seen[-1], mine[: len(y)]):
                return Doubts(reason, count=len(seen))
        return Doubts("", self._second(seen[:SECOND]), len(seen))

    def _violated(self, x: Floats, y: Floats) -> bool:
        finite = bool(np.isfinite(y).all())
        return finite and self.spec.violation(x, y[: self.spec.output_size]) is not None

    def _beside(self, stream: Iterator[Floats]) -> Iterator[tuple[Floats, Floats]]:
        """The points as numbers of the model in their boxes (where these hold any), with our outputs."""
        while True:
            some = [next(stream) for _ in range(BATCH)]
            placed = [(self.replayer.placed(self.spec, x), x) for x in some]
            found = [self.replayer.rounded(self.spec, x) if at is None else at.x for at, x in placed]
            yield from zip(found, self.ours(np.stack(found)), strict=True)

    def _against(self, spoken: np.ndarray, seen: tuple[Floats, Floats], ours: Floats) -> str:
        """Why this point speaks against the proof, or ""."""
        x, y = seen
        undefined = ~np.isfinite(y[: self.spec.output_size]) & spoken
        if undefined.any():
            i = int(np.flatnonzero(undefined)[0])
            return (
                f"the bounds are proved, but on inputs of the property output {i} of onnxruntime is {y[i]}: "
                "the model is undefined there, or its numbers are beyond what its types hold"
            )
        if (k := self.replayer.apart(self.spec, x, y, ours)) is None:
            return ""
        return (
            "the bounds are proved, but on inputs of the property the network as understood differs from "
            f"onnxruntime: output {k} is {ours[k]:.6g} here and {y[k]:.6g} there, which is more than "
            "rounding explains; the model may have been misread"
        )

    def _second(self, seen: Sequence[tuple[Floats, Floats]]) -> str:
        """What people should know of onnxruntime's default session, or ""."""
        for x, y in seen:
            z, why = self.replayer.answer(self.spec, x, optimised=True)
            if z is None:
                return unavailable(why)
            if (i := self.replayer.apart(self.spec, x, y, z)) is not None:
                return (
                    "onnxruntime's default session, which rewrites the model, disagrees with the file as "
                    f"written: output {i} is {z[i]:.6g} instead of {y[i]:.6g} at an input of the property"
                    + (", which violates it there" if self._violated(x, z) else "")
                )
        return ""


def spoken_of(spec: Spec) -> np.ndarray:
    """(O,) which outputs some row of the spec reads."""
    if spec.products:
        return np.ones(spec.output_size, dtype=np.bool_)
    assert isinstance(spec.clauses, Clauses)
    read: np.ndarray = (spec.clauses.stack.outputs != 0).any(0)
    return read[: spec.output_size]


def points(spec: Spec, seed: int) -> Iterator[Floats]:
    """Points (D,) of the boxes without end, in rounds.

    First middles, random ones and two opposite corners of boxes spread over all; then of random boxes
    corners, edges, points near corners and random ones.
    """
    random = np.random.default_rng(seed)
    count, first = len(spec.lower), True
    while True:
        boxes = np.unique(np.linspace(0, count - 1, min(BOXES, count)).round().astype(int))
        boxes = boxes if first else random.integers(count, size=len(boxes))
        corners = [random.integers(2, size=spec.input_size).astype(np.float64) for _ in boxes]
        for number in range(PER_BOX):
            for box, corner in zip(boxes.tolist(), corners, strict=True):
                share = random.random(spec.input_size)
                if number in (1, 2):  # two opposite corners
                    share = corner if number == 1 else 1.0 - corner
                elif first:
                    share = np.full_like(share, 0.5) if number == 0 else share
                elif number == 0:  # an edge or a face
                    share = np.where(random.random(spec.input_size) < 0.5, corner, share)
                elif number == 3:  # near a corner
                    share = corner + (0.5 - corner) * share**8
                low, high = spec.lower[box], spec.upper[box]
                yield _within(spec, box, low + share * (high - low))
        first = False


def _within(spec: Spec, box: int, x: Floats) -> Floats:
    """x, nearer to the middle of its box where a ball does not hold it."""
    if spec.balls:
        middle = spec.lower[box] + 0.5 * (spec.upper[box] - spec.lower[box])
        for _ in range(60):
            if all(ball.holds(x) for ball in spec.balls[box]):
                break
            x = middle + 0.5 * (x - middle)
    return x


def unavailable(why: str) -> str:
    """That there is nothing to compare with."""
    why = why if len(why) <= 2 * SHOWN else f"{why[:SHOWN]} … {why[-SHOWN:]}"
    return (
        f"onnxruntime's default session cannot run the model ({why}); this result rests on the session "
        "without graph optimisations"
    )
