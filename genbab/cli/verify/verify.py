"""`genbab verify`, of MODEL SPEC or QUERY --network NAME=MODEL: one verdict, on time, whatever happens."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.checkpoint import Checkpoint
from genbab.cli import report
from genbab.cli.options.settings import settings_of
from genbab.cli.verify.assignment import Assignment
from genbab.cli.verify.display import Display
from genbab.cli.verify.kept import PATIENCE, KeepWords
from genbab.cli.verify.output import Emitter, Outputs, outputs_of, place
from genbab.cli.verify.premise import PatternPremise
from genbab.cli.verify.question import VerifyQuestion
from genbab.cli.verify.spread import ClusterWords, crew_of
from genbab.cli.verify.strict import exactly
from genbab.config import Config
from genbab.errors import DeadlineReached, SpecError, UsageError
from genbab.proof import REJECTED, CheckerVerdict, checked, proved, seconds_of, unchecked
from genbab.result import Progress, Result, Verdict
from genbab.system.deadline import Deadline, Guard, process_start
from genbab.told import Told
from genbab.trace import TraceFile

if TYPE_CHECKING:
    from genbab.reader import Model
    from genbab.specs import Spec

LAST_WAIT = 10.0  # seconds given to another thread that is writing the result


def command(options: argparse.Namespace) -> int:
    """Verify, write the result, return the exit code; errors are raised, and then no verdict was written."""
    question, premise = VerifyQuestion.of(options), PatternPremise.of(options)
    config = Config.from_text(settings_of(options))
    keep = KeepWords.of(options, question)
    question.check_files()
    if premise is not None:
        premise.check_file()
    outputs = dataclasses.replace(
        outputs_of(options, keep),
        standard=question.standard,
        serialise=place(options.serialise),
        proof=place(options.proof),
    )
    if outputs.proof is not None and (question.standard or question.derivative or premise is not None):
        raise UsageError(
            "--proof: there are none of queries (--network), derivatives (--derivative) and patterns (--nap)"
        )
    if question.derivative and premise is not None:
        raise UsageError("--derivative: activation patterns (--nap) say nothing of derivatives")
    if outputs.proof is None and options.check_proof is not None:
        raise UsageError("--check-proof: there is nothing to check without --proof")
    check = seconds_of(options.check_proof, config.timeout)
    outputs.prepare(question.files if premise is None else (*question.files, premise.path))
    session = VerifySession(question, config, outputs, premise, check)
    session.cluster = ClusterWords.of(options, config)
    return concluded(session)


def concluded(session: VerifySession) -> int:
    """Decide and write the result, on time and on request; returns the exit code."""
    patience = None if session.emitter.outputs.keep is None else PATIENCE
    guard = Guard(session.deadline, session.late, lambda: session.emitter.begun, patience=patience)
    with guard:
        try:
            verdict = session.conclude(session.outcome())
        except KeyboardInterrupt:
            verdict = session.conclude(session.so_far(guard.signal.name if guard.signal else "SIGINT"))
        except Exception:
            session.claim()
            raise
    return 0 if verdict in (Verdict.VERIFIED, Verdict.FALSIFIED) else guard.exit_code


class VerifySession:
    """One run: what is being decided, how far it is, and where its result goes."""

    def __init__(
        self,
        question: VerifyQuestion,
        config: Config,
        outputs: Outputs,
        premise: PatternPremise | None = None,
        check: float = 0.0,
    ) -> None:
        self.question, self.config, self.premise = question, config, premise
        self.outputs: int | None = None  # of the model, once it is known
        self.deadline = Deadline(config.timeout, process_start())
        self.emitter = Emitter(outputs)
        self.display = Display(self.deadline, enabled=sys.stderr.isatty() and not outputs.quiet)
        self.check = check  # seconds for the check of a proof
        self.decided: Result | None = None  # before its proof is checked
        self.latest = Progress("starting")
        self.checkpoint: Checkpoint | None = None  # once it is known what was asked
        self.cluster: ClusterWords | None = None
        self.record: TraceFile | None = None
        if outputs.trace is not None:
            before = outputs.keep and outputs.keep.before
            self.record = TraceFile(outputs.trace, self.deadline.start - (before.seconds if before else 0.0))
            self.record.begin(question.title, str(question.spec), config.to_dict())

    def report(self, progress: Progress) -> None:
        """Take note of where the run stands; a stage without a bound leaves the last one standing."""
        if progress.bound is None:
            progress = dataclasses.replace(progress, bound=self.latest.bound)
        self.latest = progress
        self.display.update(progress)

    def outcome(self) -> Result:
        """The engine's answer, its proof checked, or `timeout` with what is known."""
        with self.display:
            try:
                result = self.decide()
            except DeadlineReached:
                return self.so_far("deadline")
            self.decided = dataclasses.replace(result, seconds=self.deadline.elapsed())
            proof = self.emitter.outputs.proof
            if proof is None:
                return self.decided
            self.report(Progress("checking the proof apart"))
            model, spec = self.question.files[:2]
            files = (model, spec, proof)
            words = self.question.reading.words
            return checked(self.decided, files, self.check, self.config.threads or 1, words=words)

    def conclude(self, result: Result) -> Verdict:
        """Write the result; returns its verdict."""
        if not self._emitted(result):
            self.claim()
        return result.verdict

    def _emitted(self, result: Result) -> bool:
        """Write the result and the end of the trace; False when a result was already written."""
        result = self.finished(result)
        if not self.emitter.emit(result):
            return False
        check = CheckerVerdict.of(result.statistics)
        if check is not None and check.outcome == "rejected":
            print(f"genbab: {REJECTED}", file=sys.stderr, flush=True)
        if self.record is not None:
            self.record.end(result)
            if self.record.failed:
                print(f"genbab: {self.record.failed}", file=sys.stderr, flush=True)
        if self.checkpoint is not None:
            self.checkpoint.ended(result)
            if self.checkpoint.failed:
                print(f"genbab: the run is not kept as it is: {self.checkpoint.failed}", file=sys.stderr)
        return True

    def claim(self) -> None:
        """From here on no verdict is written; a thread that is writing one gets time to end the process."""
        if not self.emitter.begin() and self.emitter.speaker != threading.get_ident():
            time.sleep(LAST_WAIT)

    def decide(self) -> Result:
        """The engine's answer; raises `DeadlineReached` when the time is up."""
        self.report(Progress("reading the specification"))
        from genbab.specs import read_vnnlib

        question = self.question
        spec = read_vnnlib(question.spec, derivatives=question.derivative)
        source = question.source(spec)
        if spec.vacuous:
            return self._vacuous(spec)
        self.report(Progress("loading the engine"))
        from genbab.system.device import resolve

        if (keep := self.emitter.outputs.keep) is not None:
            self.checkpoint = keep.checkpoint(question, self.config)
        _use_threads(self.config.threads)
        resolve(self.config.device)  # no such device: say so before any work
        from genbab import api
        from genbab.driver import load_within, on_integers

        self.report(Progress("reading the model"))
        what = source if isinstance(source, Path) else source.proto
        config = question.settled(self.config, spec)
        only = {"wanted": question.reading.wanted()} if question.reading else {}
        loaded = load_within(self.deadline, what, config=config, **only)
        model = question.fitting(loaded, spec, source)
        self.deadline.check()
        self._expect(spec, model)
        self.outputs = model.network.output_size
        if self.premise is not None:
            spec = self.premise.within(spec)
        model, spec = on_integers(model, spec, self.deadline.check)
        if spec.vacuous:
            return self._vacuous(spec)
        left = Deadline(None if self.config.timeout is None else max(1e-3, self.deadline.left()))
        if question.standard:  # an assignment near the region is no answer to a query
            config = config.with_(witness="exact")
        model_file, spec_file = question.files[:2]
        if self.cluster is not None:
            self.report(Progress("connecting to the cluster"))
            config = config.with_(workers=1)
        with (
            proved(self.emitter.outputs.proof, model_file, spec_file, question.reading.words) as proof,
            crew_of(self.cluster, self.emitter.outputs.quiet) as crew,
        ):
            told = Told(self.report, self.record, proof, self.checkpoint, crew=crew)
            result = api.answered(model, spec, config, told, deadline=left if keep is None else self.deadline)
        if question.standard and self.emitter.assignment is not None:
            result = exactly(result, question.spec, self.emitter.assignment)
        return result

    def _vacuous(self, spec: Spec) -> Result:
        """What is known without a model; for people an error, since it is hardly what was meant."""
        what = "unsafe" if len(spec.lower) else "input"
        notes = f" ({'; '.join(spec.notes)})" if spec.notes else ""
        reason = f"the {what} set is empty: nothing to verify{notes}"
        if not self.question.standard:
            raise SpecError(reason, str(self.question.spec))
        return Result(Verdict.VERIFIED, 0.0, None, reason)

    def _expect(self, spec: Spec, model: Model) -> None:
        """Have a counterexample written in the words of the query, if it has any."""
        if spec.declared:
            self.emitter.assignment = Assignment(spec, model)
            if self.emitter.outputs.serialise is not None:
                self.emitter.assignment.clear(self.emitter.outputs.serialise)
        elif self.emitter.outputs.serialise is not None:
            raise UsageError(
                "--serialise-assignments: VNN-LIB 1.0 declares no tensors; there is --counterexample"
            )

    def so_far(self, cause: str) -> Result:
        """What is known when the run ends early: by the deadline, or by the signal `cause`."""
        stopped = self.deadline.stopped
        by = stopped or ("Ctrl-C" if cause == "SIGINT" else cause)
        if self.decided is not None:
            return unchecked(self.decided, self.emitter.outputs.proof, f"interrupted by {by}")
        if not stopped and (cause == "deadline" or self.deadline.expired):
            limit = f"the time limit of {self.deadline.seconds:g} s"
            reason = f"{limit} was reached while {self.latest.stage}; try a longer --timeout"
            return self._early(Verdict.TIMEOUT, reason)
        return self._early(Verdict.UNKNOWN, f"interrupted by {by} while {self.latest.stage}")

    def _early(self, verdict: Verdict, reason: str) -> Result:
        counts = {"domains": self.latest.domains, "open": self.latest.open}
        result = Result(verdict, self.deadline.elapsed(), self.latest.bound, reason, statistics=counts)
        return result if self.checkpoint is None else self.checkpoint.told(result)

    def finished(self, result: Result) -> Result:
        """The result with what only the command knows: time since the start, peak memory, file names."""
        if self.premise is not None:
            result = self.premise.told(result, self.outputs)
        return dataclasses.replace(
            result,
            seconds=self.deadline.elapsed() if self.decided is None else self.decided.seconds,
            statistics={**result.statistics, "peak_memory": peak_memory()},
            model=self.question.title,
            spec=str(self.question.spec),
        )

    def late(self, cause: str) -> None:
        """Write what is known and end the process: for the guard, when the main thread does not answer."""
        code = {"SIGINT": 130, "SIGTERM": 143}.get(cause, 0)
        try:
            waits = (
                cause == "deadline" and self.decided is not None
            )  # for the checker, which has its own limit
            if waits or self.emitter.begun:  # or the main thread is writing
                return
            self.display.abandon()
            if not self._emitted(self.so_far(cause)):
                return
        except Exception as error:
            code = report(error)
        sys.stdout.flush()
        os._exit(code)


def peak_memory() -> int:
    """The most memory this process has used, in bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
