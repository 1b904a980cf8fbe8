"""Questions of a study as tasks of a cluster: models go there once, answers come back to one writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from genbab.cluster import ClusterAddress, Tasks, TaskShare, WorkerDied, Workplace
from genbab.cluster.connection import connected
from genbab.config import Config
from genbab.errors import UsageError
from genbab.reader import Model, load_onnx
from genbab.studies.data import Floats
from genbab.studies.records.provenance import facts
from genbab.studies.records.questions import Claim, StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.studies.work.crew import Crew
from genbab.studies.work.jobs import Job, answered, packed, worth_drawing

MOST = 1024
"""Tasks under way at most where a call does not say: each has a thread here that waits for it."""


class StudyThere:
    """Questions of a study, answered by tasks of a cluster; the study keeps inputs that are worth drawing."""

    def __init__(self, study: Study, jobs: Mapping[str, Job], tasks: Tasks) -> None:
        self.study, self.jobs, self.tasks = study, jobs, tasks

    def ask(self, question: StudyQuestion) -> tuple[StudyAnswer, str]:
        """The answer, or "error" where the task's worker dies again and again; raises `Ended` after `end`."""
        job = self.jobs[question.key]
        model = self.tasks.keep(job.model.proto)
        try:
            answer, origin = self.tasks.ask(answer_on_node, question, model, job.x, needs=[model])
        except WorkerDied as error:
            return StudyAnswer("error", 0.0, None, str(error)), facts()
        if worth_drawing(answer):
            self.study.keep(packed(job.x))
        return answer, origin

    def end(self) -> None:
        """End the tasks that run; no more are started."""
        self.tasks.end()


def answer_there(
    study: Study,
    run: str,
    jobs: Mapping[str, Job],
    where: tuple[ClusterAddress, int | None],
    after: Callable[[], None],
) -> None:
    """Answer the open questions of a run on a cluster, so many at a time (None: as many as it has room for).

    `after` is called after each. Raises `UsageError` where there is no such cluster or no room for a task.
    """
    address, workers = where
    share = study_share(next((job.question.settings for job in jobs.values()), {}))
    with connected(address) as connection:
        tasks = Tasks(connection, share)
        count = tasks.at_a_time(workers)
        count = count if workers else min(count, MOST)

        def told(claim: Claim, answer: StudyAnswer) -> None:
            after()

        Crew(study, run, StudyThere(study, jobs, tasks), told).work(count)


def study_share(settings: Mapping[str, Any]) -> TaskShare:
    """What each task takes: as many cores as the setting `threads` says, or one; a GPU for device "cuda".

    Raises `UsageError` for a GPU by its number.
    """
    config = Config(**settings)
    if config.device.startswith("cuda:"):
        raise UsageError(f'device {config.device!r}: on a cluster Ray chooses which GPU a task gets: "cuda"')
    return TaskShare(config.threads or 1, int(config.device == "cuda"))


def answer_on_node(
    place: Workplace, question: StudyQuestion, model: str, x: Floats
) -> tuple[StudyAnswer, str]:
    """The answer to a question about the model with this hash, and the node's `facts`."""
    torch.set_num_threads(place.cpus)
    return answered(lambda q: Job(q, _model(_Wanted(model, place)), x), question), facts()


@dataclass(frozen=True)
class _Wanted:
    """The model with this hash, and where its bytes come from."""

    name: str
    place: Workplace = field(compare=False)


@lru_cache(maxsize=4)
def _model(wanted: _Wanted) -> Model:
    """A model, which this process reads once."""
    return load_onnx(wanted.place.fetch(wanted.name))
