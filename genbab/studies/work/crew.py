"""Threads that have the questions of a run answered, one claim after the other, here or elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from genbab.studies.records.questions import Claim, StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.system.process import Ended

WAKE = 0.2
"""Seconds after which a waiting thread looks up: a signal just before it waits does not wake it."""


class Answering(Protocol):
    """What answers questions, several at a time: processes of this machine, tasks of a cluster."""

    def ask(self, question: StudyQuestion) -> tuple[StudyAnswer, str]:
        """The answer, and the `facts` of the process that found it; raises `Ended` after `end`."""

    def end(self) -> None:
        """Stop what is under way and begin nothing more; who asked goes on."""


class Crew:
    """Threads that each have one question after the other answered, until none of a run is open.

    after: told of every answer that is kept, by one thread at a time.
    """

    def __init__(
        self, study: Study, run: str, answering: Answering, after: Callable[[Claim, StudyAnswer], None]
    ) -> None:
        self.study, self.name, self.answering, self.after = study, run, answering, after
        self.ended = False
        self.trouble: list[BaseException] = []
        self._telling = threading.Lock()

    def work(self, workers: int) -> None:
        """Until all is answered.

        Raises what went wrong in a thread, and `KeyboardInterrupt` after a signal: then everything under way
        was ended first, and its questions are open.
        """
        ends = [threading.Event() for _ in range(workers)]  # an interrupted join() believes that all is over
        threads = [
            threading.Thread(target=self._work, args=(str(n), end), daemon=True) for n, end in enumerate(ends)
        ]
        try:
            for thread in threads:
                thread.start()
            for end in ends:
                while not end.wait(WAKE):
                    pass
        finally:
            self._end()
            for thread, end in zip(threads, ends, strict=True):
                if thread.ident is not None:
                    end.wait()
        if self.trouble:
            raise self.trouble[0]

    def _work(self, worker: str, end: threading.Event) -> None:
        try:
            while not self.ended and (claim := self.study.claim(self.name, worker)):
                self._one(claim)
        except BaseException as error:
            self.trouble.append(error)
            self._end()
        finally:
            end.set()

    def _one(self, claim: Claim) -> None:
        try:
            answer, origin = self.answering.ask(claim.question)
        except BaseException as error:
            self.study.release(claim)
            if isinstance(error, Ended):
                return
            raise
        if self.ended:  # it may not have ended by itself
            self.study.release(claim)
            return
        self.study.record(claim, answer, origin)
        with self._telling:
            self.after(claim, answer)

    def _end(self) -> None:
        self.ended = True
        self.answering.end()
