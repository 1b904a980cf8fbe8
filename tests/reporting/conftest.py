"""Studies to report on: made by hand, so that every verdict, kind and oddity is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbab.studies.records.provenance import text_hash
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.studies.work.jobs import packed

EVIL = '<script>alert("1")</script>&amp;</style><img src=x onerror=alert(1)> \'"`${1}{{ 7*7 }}'
"""A name that is a page of its own where it is not escaped."""


def fill(place: Path, entries: Iterable[tuple[StudyQuestion, StudyAnswer | None]]) -> Path:
    """A study file of these questions with these answers (None: open)."""
    entries = list(entries)
    with Study(place) as study:
        run = study.begin([question for question, _ in entries])
        known = {question.key: answer for question, answer in entries}
        while claim := study.claim(run):
            answer = known[claim.question.key]
            if answer is None:
                break
            study.record(claim, answer)
        study.finish(run)
    return place


def statistics(seconds: float, bound: float) -> dict[str, Any]:
    """What a run tells of itself, with a bound that rises to `bound`."""
    moments = [[seconds * k / 5, bound - 2.0 ** (5 - k), 10, 10 * k] for k in range(5)] + [
        [seconds, bound, 0, 60]
    ]
    layers = [
        {
            "node": 2 * k,
            "name": f"/{k}/Tanh",
            "function": "tanh",
            "neurons": 40,
            "mean": 0.5 * k,
            "widest": k,
            "gap": k,
        }
        for k in range(1, 4)
    ]
    gap = {"clause": 1, "bound": bound - 31.0, "value": bound - 25.0}
    inputs = [{"name": "x", "shape": [1, 64]}]
    return {
        "domains": 60,
        "seconds attack": 0.1,
        "history": moments,
        "layers": layers,
        "gap": gap,
        "inputs": inputs,
    }


def sample(
    number: int, verdict: str, seconds: float, model: str = "net.onnx"
) -> tuple[StudyQuestion, StudyAnswer]:
    """A robust sample with its answer."""
    details = {"sample": number, "label": number % 10, "eps": 0.05, "norm": "inf", "bounds": [0.0, 1.0]}
    x = np.random.default_rng(number).random(64)
    bound = {"verified": 0.25, "timeout": -0.5}.get(verdict)
    result: dict[str, Any] = {
        "predicted": number % 10,
        "shape": [1, 64],
        "statistics": statistics(seconds, bound or -1.0),
    }
    if verdict == "falsified":
        moved = np.clip(x + 0.05 * np.sign(x - 0.5), 0, 1)
        result["counterexample"] = {"x": moved.tolist(), "y": list(range(10)), "clause": 0}
    question = StudyQuestion(
        "robustness", model, f"sample {number}", text_hash(model), text_hash(packed(x)), 5.0, {}, details
    )
    return question, StudyAnswer(verdict, seconds, bound, f"why {number}", result=result)


VERDICTS = ("verified", "falsified", "timeout", "misclassified", "unknown", "error")


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files: "main" (all verdicts, two models, one of an evil name), "other" (the same, slower), "mixed"
    (other kinds, missing and broken facts), "empty".
    """
    folder = tmp_path_factory.mktemp("studies")
    entries = [sample(k, VERDICTS[k % 6], 0.1 * 1.5**k) for k in range(12)]
    entries += [sample(k, VERDICTS[k % 3], 0.05 * 1.7**k, EVIL) for k in range(6)]
    slower = [(question, StudyAnswer(a.verdict, 3 * a.seconds, a.bound, a.reason)) for question, a in entries]
    made = {
        "main": fill(folder / "main.study.db", entries),
        "other": fill(folder / "other.db", slower),
        "mixed": fill(folder / "mixed.db", _mixed()),
        "empty": fill(folder / "empty.db", []),
    }
    with Study(made["main"]) as study:
        for k in range(12):
            study.keep(packed(np.random.default_rng(k).random(64)))
    return made


def _mixed() -> list[tuple[StudyQuestion, StudyAnswer | None]]:
    radius = {"sample": 0, "label": 1, "eps": 0.2, "norm": "2", "bounds": None, "tolerance": 0.02}
    steps = {"certified": 0.05, "broken": 0.08, "steps": [[0.1, "falsified", 0.2], [0.05, "verified", 0.1]]}
    bare = {"statistics": {"history": "none", "layers": [1, {"mean": "x"}], "gap": [1]}, "counterexample": 3}
    ends = {"certified": 1.5, "attained": 1.25, "at": [0.0, 1.0], "steps": 4}
    return [
        (
            StudyQuestion("radius", "a.onnx", "sample 0", "m", "s", 5.0, {}, radius),
            StudyAnswer("falsified", 1, 0.05, "", result=steps),
        ),
        (
            StudyQuestion("range", "a.onnx", "greatest value", "m", "r"),
            StudyAnswer("verified", 0.2, 0.25, "", result=ends),
        ),
        (
            StudyQuestion("instance", "b.onnx", "p.vnnlib"),
            StudyAnswer("unknown", 2.0, float("-inf"), "why", result=bare),
        ),
        (StudyQuestion("instance", "b.onnx", "q.vnnlib"), StudyAnswer("error", 0.0, None, "broke")),
        (StudyQuestion("novel kind", "b.onnx", "r.vnnlib"), None),
    ]
