"""The keyword arguments that studies share, and what they mean for the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar

from genbab.config import Config
from genbab.nap import Pattern
from genbab.studies.records.questions import StudyAnswer
from genbab.studies.records.store import Study
from genbab.studies.work.engine import Follow, answer_all
from genbab.studies.work.jobs import Job

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 60.0
"""The time limit of a question where the settings have none."""


class StudyOptions(TypedDict, total=False):
    """How questions are answered.

    timeout: seconds per question (60 where neither this nor `config` says more); config: the settings of
    every run; study: a file that keeps every answer, from which the same call goes on after an interruption,
    or an open `Study`; workers: processes (1), or tasks of a cluster at a time (as many as it has room for);
    cluster: "ray", or what else `genbab run --cluster` takes; follow: told how many questions are answered,
    and of how many.
    """

    timeout: float | None
    config: Config | None
    study: Study | str | Path | None
    workers: int | None
    cluster: str | None
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


DEFAULTS: Mapping[str, Any] = {
    "timeout": None,
    "config": None,
    "study": None,
    "workers": None,
    "cluster": None,
    "follow": None,
    "example": None,
    "bounds": (0.0, 1.0),
    "preprocessing": None,
    "samples": None,
    "tolerance": 0.02,
    "patterns": None,
}
"""What options are where a call does not say."""


def taking(kind: type) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A function that takes `**options` of a kind, made to say so.

    It refuses other names as Python does, fills in defaults, and shows the options one by one in `help`.
    """
    names = tuple(kind.__annotations__)

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        own = [p for p in signature(function).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        known = {p.name for p in own}

        @wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> T:
            for name in keywords:
                if name not in names and name not in known:
                    raise TypeError(f"{function.__name__}() got an unexpected keyword argument '{name}'")
            return function(*args, **{**{name: DEFAULTS[name] for name in names}, **keywords})

        hints = {name: getattr(hint, "__forward_arg__", hint) for name, hint in kind.__annotations__.items()}
        shown = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=DEFAULTS[name], annotation=hints[name])
            for name in names
        ]
        returned = signature(function).return_annotation
        call.__signature__ = Signature([*own, *shown], return_annotation=returned)  # type: ignore[attr-defined]
        return call

    return wrap


@dataclass(frozen=True)
class Work:
    """How questions are answered: by which settings, kept where, by how many processes, told to whom."""

    config: Config
    study: Study | str | Path | None = None
    workers: int | None = None
    follow: Follow | None = None
    cluster: str | None = None

    @classmethod
    def of(cls, options: StudyOptions) -> Work:
        """What these options mean."""
        config = Config.of(options["config"])
        asked = options["timeout"]
        chosen = config.timeout if asked is None else asked
        config = replace(config, timeout=SECONDS if chosen is None else chosen)
        how = (options["study"], options["workers"], options["follow"], options["cluster"])
        return cls(config, *how)

    def answers(self, jobs: Sequence[Job]) -> list[StudyAnswer]:
        """An answer to every question, in order; raises what `answer_all` raises."""
        return answer_all(jobs, self.study, self.workers, self.follow, self.cluster)
