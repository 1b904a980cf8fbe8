"""What a study is asked and answers: questions, answers, and claims of who works on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from genbab.result import plain
from genbab.studies.records.provenance import text_hash
from genbab.version import __version__


@dataclass(frozen=True)
class StudyQuestion:
    """What is asked: two questions that are equal in every field have one answer."""

    kind: str
    model: str
    spec: str
    model_hash: str = ""
    spec_hash: str = ""
    timeout: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Numbers as the file gives them back."""
        object.__setattr__(self, "timeout", None if self.timeout is None else float(self.timeout))

    @property
    def key(self) -> str:
        """A hash of all fields and of the version of genbab."""
        return text_hash(json.dumps([__version__, plain(asdict(self))], sort_keys=True))


@dataclass(frozen=True)
class StudyAnswer:
    """What came out: a verdict or "error", seconds, bound, reason; `result` is anything else, for JSON."""

    verdict: str
    seconds: float
    bound: float | None = None
    reason: str = ""
    peak_memory: int | None = None
    exit_code: int | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """An instance that a worker has taken: its number in the file, its attempt, the question."""

    instance: int
    attempt: int
    question: StudyQuestion
