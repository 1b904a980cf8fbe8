"""Two studies side by side: which instances ask the same, and how the answers compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from genbab.reporting.facts import StudyInstance

Key = Callable[[StudyInstance], Hashable]


@dataclass(frozen=True)
class Pair:
    """The same question in both studies.

    same: whether model and specification are the same, so that different verdicts contradict each other.
    """

    here: StudyInstance
    there: StudyInstance
    same: bool

    @property
    def outcome(self) -> str:
        """Who decided it: "both", "here", "there", "neither", or "conflict"."""
        if self.here.solved and self.there.solved:
            opposed = self.here.verdict != self.there.verdict and self.here.kind != "radius"
            return "conflict" if self.same and opposed else "both"
        return "here" if self.here.solved else "there" if self.there.solved else "neither"


def pairs(some: Sequence[StudyInstance], others: Sequence[StudyInstance]) -> tuple[list[Pair], str]:
    """(the instances of both studies, how they were matched in words).

    By the contents of model and specification; if none match, by their names; then by the specification
    alone, which compares two models. What an instance asked twice is compared by its last answer.
    """
    for key, words in KEYS:
        known = {key(one): one for one in others if key(one) is not None}
        mine = {key(one): one for one in some if key(one) in known}
        if mine:
            same = key is not _spec
            return [Pair(one, known[name], same) for name, one in mine.items()], words
    return [], "no instance of the one is in the other"


def _contents(one: StudyInstance) -> Hashable:
    model, spec = one.record["model_hash"], one.record["spec_hash"]
    return (one.kind, model, spec, _asked(one)) if model and spec else None


def _names(one: StudyInstance) -> Hashable:
    return one.kind, one.model, one.spec, _asked(one)


def _spec(one: StudyInstance) -> Hashable:
    return one.kind, one.record["spec_hash"] or one.spec, _asked(one)


def _asked(one: StudyInstance) -> str:
    details = {name: value for name, value in one.details.items() if name not in ("sample", "tolerance")}
    return json.dumps(details, sort_keys=True)


KEYS: tuple[tuple[Key, str], ...] = (
    (_contents, "matched by the contents of model and specification"),
    (_names, "matched by the names of model and specification"),
    (_spec, "matched by the specification; the models differ"),
)


def conflicts(found: Sequence[Pair]) -> list[Pair]:
    """Pairs of which one says verified and the other falsified: one of them is wrong."""
    return [p for p in found if p.outcome == "conflict"]


def doubts(some: Sequence[StudyInstance]) -> list[tuple[StudyInstance, StudyInstance]]:
    """Instances of one study that ask the same, with contradicting verdicts."""
    first: dict[Hashable, StudyInstance] = {}
    found = []
    for one in some:
        name = _contents(one)
        if name is None or not one.solved or one.kind == "radius":
            continue
        before = first.setdefault(name, one)
        if before.verdict != one.verdict:
            found.append((before, one))
    return found
