"""`python -m genbab.studies.work.worker STUDY RUN PARENT THREADS`: answers open questions, then ends."""

from __future__ import annotations

import signal
import sys
from functools import lru_cache

import numpy as np
import torch

from genbab.reader import Model, load_onnx
from genbab.studies.records.questions import StudyQuestion
from genbab.studies.records.store import Study
from genbab.studies.work.engine import work
from genbab.studies.work.jobs import Job
from genbab.system.process import end_with


def main(path: str, run: str) -> None:
    """Answer what is open, with models and numbers from the study file."""
    with Study(path) as study:

        @lru_cache(maxsize=4)
        def model_of(name: str) -> Model:
            return load_onnx(study.blob(name))

        def job_of(question: StudyQuestion) -> Job:
            x = np.frombuffer(study.blob(question.spec_hash), "<f8").astype(np.float64)
            shape = (2, -1) if question.kind == "range" else (-1,)
            return Job(question, model_of(question.model_hash), x.reshape(shape))

        work(study, run, job_of, lambda: None)


if __name__ == "__main__":
    end_with(int(sys.argv[3]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    torch.set_num_threads(int(sys.argv[4]))
    main(sys.argv[1], sys.argv[2])
