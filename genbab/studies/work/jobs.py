"""A question with what it is about, and its answer whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genbab.errors import GenbabError
from genbab.reader import Model
from genbab.studies.data import Floats
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.work.tasks import WRONG, perform


@dataclass(frozen=True, eq=False)
class Job:
    """A question with the model and the numbers it is about."""

    question: StudyQuestion
    model: Model
    x: Floats


def packed(x: Floats) -> bytes:
    """The numbers as bytes; their shape is known from the question's kind."""
    return x.astype("<f8").tobytes()


def answered(job_of: Callable[[StudyQuestion], Job], question: StudyQuestion) -> StudyAnswer:
    """The answer, or the error that took its place."""
    try:
        job = job_of(question)
        return perform(job.question, job.model, job.x)
    except GenbabError as error:
        return StudyAnswer("error", 0.0, None, str(error))
    except Exception as error:
        told = " ".join(str(error).split())
        return StudyAnswer("error", 0.0, None, f"internal error: {type(error).__name__}: {told}")


def worth_drawing(answer: StudyAnswer) -> bool:
    """Whether the study keeps the input of this answer."""
    return answer.verdict == WRONG or bool(answer.result.get("counterexample"))
