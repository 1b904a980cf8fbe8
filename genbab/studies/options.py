"""The keyword arguments that studies share, and what they mean for the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from genbab.config import Config
from genbab.nap import Pattern
from genbab.studies.records.questions import StudyAnswer
from genbab.studies.records.store import Study
from genbab.studies.work.engine import Follow, Job, answer_all

SECONDS = 60.0
"""The time limit of a question where the settings have none."""


class StudyOptions(TypedDict, total=False):
    """How questions are answered.

    timeout: seconds per question (60 where neither this nor `config` says more); config: the settings of
    every run; study: a file that keeps every answer, from which the same call goes on after an interruption,
    or an open `Study`; workers: processes (1); follow: told how many questions are answered, and of how many.
    """

    timeout: float | None
    config: Config | None
    study: Study | str | Path | None
    workers: int
    follow: Follow | None


class RangeOptions(StudyOptions, total=False):
    """How the model of a range is read, besides: `example` is an input of it, which a torch module needs."""

    example: Any


class SampleOptions(StudyOptions, total=False):
    """How samples are understood, besides.

    bounds: the valid range of x, to which balls are clipped ((0, 1); None: no range); preprocessing: {"mean",
    "std", "axis"}, applied to x inside of the model; samples: how many are taken (None: all).
    """

    bounds: tuple[float, float] | None
    preprocessing: Mapping[str, Any] | None
    samples: int | None


class RadiusOptions(SampleOptions, total=False):
    """How radii are searched, besides.

    tolerance: how far apart, relatively, what is certified and what is broken may stay (0.02); patterns: what
    `genbab.nap` mined, by label: of these classes only inputs that follow the pattern count.
    """

    tolerance: float
    patterns: Mapping[int, Pattern] | None


def check_names(options: Mapping[str, Any], kind: type, function: str) -> None:
    """Raise TypeError, as Python does, for a keyword that is not one of `kind`."""
    for name in options:
        if name not in kind.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")


@dataclass(frozen=True)
class Work:
    """How questions are answered: by which settings, kept where, by how many processes, told to whom."""

    config: Config
    study: Study | str | Path | None = None
    workers: int = 1
    follow: Follow | None = None

    @classmethod
    def of(cls, options: StudyOptions) -> Work:
        """What these options mean."""
        config = Config.of(options.get("config"))
        asked = options.get("timeout")
        chosen = config.timeout if asked is None else asked
        config = replace(config, timeout=SECONDS if chosen is None else chosen)
        return cls(config, options.get("study"), options.get("workers", 1), options.get("follow"))

    def answers(self, jobs: Sequence[Job]) -> list[StudyAnswer]:
        """An answer to every question, in order; raises what `answer_all` raises."""
        return answer_all(jobs, self.study, self.workers, self.follow)
