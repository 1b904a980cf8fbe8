"""What is done about one question: a robust sample, a radius, the range of an output."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from genbab.api import verify
from genbab.attack import Replayer
from genbab.config import Config
from genbab.errors import UsageError
from genbab.network import evaluate
from genbab.reader import Model
from genbab.result import Result, Verdict
from genbab.studies.data import Floats
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.work import bisection, extremes
from genbab.studies.work.balls import ball

WRONG = "misclassified"
"""The verdict of samples that the model gets wrong as they are: nothing is asked about their neighbours."""


def perform(question: StudyQuestion, model: Model, x: Floats) -> StudyAnswer:
    """The answer to a question about this model; x (D,) for samples, (2, D) for boxes.

    Counterexamples lie in their boxes exactly: distances and attained values are taken from them. Raises
    `UsageError` for a kind of question that this version does not know.
    """
    config = Config(**question.settings).with_(timeout=question.timeout, witness="exact")
    started = time.monotonic()
    if question.kind == "range":
        answer = extremes.extreme(model, x[0], x[1], question.details, config)
    elif question.kind in ("robustness", "radius"):
        answer = _sample(question, model, x, config)
    else:
        raise UsageError(f"the study asks {question.kind!r}, which this genbab does not know")
    return replace(answer, seconds=time.monotonic() - started)


def _sample(question: StudyQuestion, model: Model, x: Floats, config: Config) -> StudyAnswer:
    label = int(question.details["label"])
    predicted, tie = prediction(model, x)
    known = {"predicted": predicted, "shape": list(model.input_shapes[0])}
    if predicted != label or tie:
        why = (
            f"ties class {label} with another"
            if predicted == label
            else f"says class {predicted}, not {label}"
        )
        return StudyAnswer(WRONG, 0.0, None, f"without any change the model {why}", result=known)
    if question.kind == "radius":
        return bisection.radius(model, x, question.details, config, known)
    result = verify(model, ball(model, x, question.details, float(question.details["eps"])), config)
    return answer_of(result, known)


def prediction(model: Model, x: Floats) -> tuple[int, bool]:
    """The class of x (D,) as onnxruntime has it, and whether it is tied with another.

    Where onnxruntime cannot run the model, the class that genbab computes.
    """
    if model.replayable:
        y = Replayer(model).replay(x)
    else:
        import torch

        y = evaluate(model.network, torch.from_numpy(x)[None])[0].numpy()
    best = int(np.argmax(y))
    return best, bool((np.delete(y, best) >= y[best]).any() or np.isnan(y).any())


def answer_of(result: Result, known: Mapping[str, Any]) -> StudyAnswer:
    """A verification's result as an answer."""
    reason = result.reason
    if result.verdict in (Verdict.UNKNOWN, Verdict.TIMEOUT) and "try" not in reason:
        reason += "; try a longer timeout, or a smaller eps"
    whole = {**known, **replace(result, reason=reason).to_dict()}
    return StudyAnswer(result.verdict.value, result.seconds, result.bound, reason, result=whole)
