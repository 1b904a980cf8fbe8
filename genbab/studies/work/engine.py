"""Getting a list of questions answered: in this process, or by several that share the study file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from genbab.cluster import ClusterAddress
from genbab.config import Config
from genbab.errors import UsageError
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.studies.work.jobs import Job, answered, packed, worth_drawing
from genbab.studies.work.there import answer_there
from genbab.system.process import brief_waits

EVERY = 0.05
"""Seconds between two looks at the workers."""

Follow = Callable[[int, int], None]
"""Told how many questions are answered, and of how many."""


def chosen_settings(config: Config) -> dict[str, object]:
    """The settings that differ from the defaults, but for the time limit: what makes answers differ."""
    usual = Config().to_dict()
    return {k: v for k, v in config.to_dict().items() if v != usual[k] and k != "timeout"}


def answer_all(
    jobs: Sequence[Job],
    study: Study | str | Path | None,
    workers: int | None = None,
    follow: Follow | None = None,
    cluster: str | None = None,
) -> list[StudyAnswer]:
    """An answer to every question, in order; those that the study has are not worked out again.

    study: a file, an open study, or None for nothing kept. Several workers are processes that share the file;
    with a cluster they are its tasks (None: as many as it has room for), and only this process writes. An
    instance that fails, or whose process dies, is answered by "error" with the reason, and asked again
    next time. Raises `UsageError` for a wrong number of workers, for a cluster that cannot be used, and where
    workers cannot start or do not know the model.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise UsageError(f"workers = {workers!r}: must be a whole number from 1")
    address = None if cluster is None else ClusterAddress.of(str(cluster))
    several = address is None and (workers or 1) > 1
    if (several or address) and not all(job.model.replayable for job in jobs):
        what = "worker processes do not know functions that were registered as facts"
        raise UsageError(f"{what}: workers=1, and no cluster")
    questions, known = [job.question for job in jobs], {job.question.key: job for job in jobs}
    with ExitStack() as stack:
        if study is None and several:
            study = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genbab-"))) / "study.db"
        opened = study if isinstance(study, Study) else stack.enter_context(Study(study))
        run = opened.begin(questions)
        stack.callback(opened.finish, run)
        after = _Teller(opened, run, len(jobs), follow)
        if several:
            _by_processes(jobs, opened, _Workers(opened, run, workers or 1, after))
        elif address is None:
            work(opened, run, lambda q: known[q.key], after)
        elif opened.open(run):
            answer_there(opened, run, known, (address, workers), after)
        answers = opened.answered(questions)
    missing = StudyAnswer("error", 0.0, None, "another process works on it")
    return [answer or missing for answer in answers]


def _by_processes(jobs: Sequence[Job], study: Study, workers: _Workers) -> None:
    """Have processes answer, which find models and numbers in the study's file."""
    for data in {id(m): m.proto for m in (job.model for job in jobs)}.values():
        study.keep(data)
    for job in jobs:
        study.keep(packed(job.x))
    workers.wait()


def work(study: Study, run: str, job_of: Callable[[StudyQuestion], Job], after: Callable[[], None]) -> None:
    """Answer the open questions of a run one after the other; `after` is called after each."""
    while (claim := study.claim(run)) is not None:
        try:
            answer = answered(job_of, claim.question)
            if worth_drawing(answer):
                study.keep(packed(job_of(claim.question).x))
            study.record(claim, answer)
        except BaseException:
            study.release(claim)
            raise
        after()


class _Teller:
    """Tells how far a run is whenever that has changed."""

    def __init__(self, study: Study, run: str, count: int, follow: Follow | None) -> None:
        self.study, self.name, self.count, self.follow = study, run, count, follow
        self.last = -1

    def __call__(self) -> None:
        if self.follow is not None and (done := self.count - self.study.open(self.name)) != self.last:
            self.last = done
            self.follow(done, self.count)


class _Workers:
    """Processes of `genbab.studies.work.worker` on one run; they end with this process."""

    def __init__(self, study: Study, run: str, count: int, after: Callable[[], None]) -> None:
        if study.path is None:
            raise UsageError("several workers need a study in a file: Study(path)")
        self.study, self.name, self.after = study, run, after
        self.threads = max(1, (os.cpu_count() or 1) // count)
        self.running: list[subprocess.Popen[bytes]] = []
        self.count = count
        self.said = tempfile.TemporaryFile()  # closed in `wait`

    def wait(self) -> None:
        """Until every worker has found nothing left to do; one that dies is replaced; tells progress."""
        try:
            for _ in range(self.count):
                self._start()
            while self.running:
                time.sleep(EVERY)
                self.after()
                for process in [p for p in self.running if p.poll() is not None]:
                    self.running.remove(process)
                    self._ended(process)
        finally:
            for process in self.running:
                process.kill()
                process.wait()
            self.said.close()
            self._give_back()

    def _start(self) -> None:
        words = [str(self.study.path), self.name, str(os.getpid()), str(self.threads)]
        path = os.pathsep.join(p for p in sys.path if p)
        environment = {**os.environ, "PYTHONPATH": path}
        brief_waits(environment)
        command = [sys.executable, "-P", "-m", "genbab.studies.work.worker", *words]
        none = subprocess.DEVNULL
        self.running.append(subprocess.Popen(command, stdin=none, stderr=self.said, env=environment))

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        if process.returncode == 0:
            return
        left = self.study.orphans(self.name)
        for claim in left:
            how = f"its process ended with code {process.returncode}; memory may have run out"
            self.study.record(claim, StudyAnswer("error", 0.0, None, how, exit_code=process.returncode))
        if not left:
            self.said.seek(0)
            lines = self.said.read().decode(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), f"code {process.returncode}")
            raise UsageError(f"a worker process could not start: {last.strip()}")
        self._start()

    def _give_back(self) -> None:
        for claim in self.study.orphans(self.name):
            self.study.release(claim)
