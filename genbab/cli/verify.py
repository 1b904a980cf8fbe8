"""`genbab verify MODEL SPEC`: one verdict, on time, whatever happens."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import threading
import time
from pathlib import Path

from genbab.cli import report
from genbab.cli.display import Display
from genbab.cli.output import Emitter, Outputs
from genbab.cli.parser import settings_of
from genbab.config import Config
from genbab.deadline import Deadline, Guard, process_start
from genbab.errors import DeadlineReached, GenbabError, ModelError, SpecError
from genbab.result import Progress, Result, Verdict
from genbab.trace import TraceFile

LAST_WAIT = 10.0  # seconds given to another thread that is writing the result


def command(options: argparse.Namespace) -> int:
    """Verify, write the result, return the exit code; errors are raised, and then no verdict was written."""
    config = Config.from_text(settings_of(options))
    model, spec = Path(options.model), Path(options.spec)
    readable(model, "model", ModelError)
    readable(spec, "specification", SpecError)
    outputs = Outputs(
        _path(options.json),
        _path(options.counterexample),
        _path(options.result),
        options.quiet,
        _path(options.trace),
    )
    outputs.prepare((model, spec))
    session = Session(model, spec, config, outputs)
    with Guard(session.deadline, session.late, busy=lambda: session.emitter.begun) as guard:
        try:
            verdict = session.conclude(session.outcome())
        except KeyboardInterrupt:
            verdict = session.conclude(session.so_far(guard.signal.name if guard.signal else "SIGINT"))
        except Exception:
            session.claim()
            raise
    return 0 if verdict in (Verdict.VERIFIED, Verdict.FALSIFIED) else guard.exit_code


class Session:
    """One run: what is being decided, how far it is, and where its result goes."""

    def __init__(self, model: Path, spec: Path, config: Config, outputs: Outputs) -> None:
        self.model, self.spec, self.config = model, spec, config
        self.deadline = Deadline(config.timeout, process_start())
        self.emitter = Emitter(outputs)
        self.display = Display(self.deadline, enabled=sys.stderr.isatty() and not outputs.quiet)
        self.latest = Progress("starting")
        self.record: TraceFile | None = None
        if outputs.trace is not None:
            self.record = TraceFile(outputs.trace, self.deadline.start)
            self.record.begin(str(model), str(spec), config.to_dict())

    def report(self, progress: Progress) -> None:
        """Take note of where the run stands; a stage without a bound leaves the last one standing."""
        if progress.bound is None:
            progress = dataclasses.replace(progress, bound=self.latest.bound)
        self.latest = progress
        self.display.update(progress)

    def outcome(self) -> Result:
        """The engine's answer, or `timeout` with what is known."""
        with self.display:
            try:
                return self.decide()
            except DeadlineReached:
                return self.so_far("deadline")

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
        if self.record is not None:
            self.record.end(result)
            if self.record.failed:
                print(f"genbab: {self.record.failed}", file=sys.stderr, flush=True)
        return True

    def claim(self) -> None:
        """From here on no verdict is written; a thread that is writing one gets time to end the process."""
        if not self.emitter.begin() and self.emitter.speaker != threading.get_ident():
            time.sleep(LAST_WAIT)

    def decide(self) -> Result:
        """The engine's answer; raises `DeadlineReached` when the time is up."""
        self.report(Progress("reading the specification"))
        from genbab.specs import read_vnnlib

        spec = read_vnnlib(self.spec)
        if spec.vacuous:
            what = "unsafe" if len(spec.lower) else "input"
            notes = f" ({'; '.join(spec.notes)})" if spec.notes else ""
            raise SpecError(f"the {what} set is empty: nothing to verify{notes}", str(self.spec))
        self.report(Progress("loading the engine"))
        from genbab.device import resolve

        _use_threads(self.config.threads)
        resolve(self.config.device)  # no such device: say so before any work
        from genbab import api

        self.report(Progress("reading the model"))
        model = api.load_within(self.deadline, self.model)
        self.deadline.check()
        left = None if self.config.timeout is None else max(1e-3, self.deadline.left())
        config = self.config.with_(timeout=left)
        return api.verify(model, spec, config, progress=self.report, trace=self.record)

    def so_far(self, cause: str) -> Result:
        """What is known when the run ends early: by the deadline, or by the signal `cause`."""
        if cause == "deadline" or self.deadline.expired:
            limit = f"the time limit of {self.deadline.seconds:g} s"
            reason = f"{limit} was reached while {self.latest.stage}; try a longer --timeout"
            return self._early(Verdict.TIMEOUT, reason)
        by = "Ctrl-C" if cause == "SIGINT" else cause
        return self._early(Verdict.UNKNOWN, f"interrupted by {by} while {self.latest.stage}")

    def _early(self, verdict: Verdict, reason: str) -> Result:
        counts = {"domains": self.latest.domains, "open": self.latest.open}
        return Result(verdict, self.deadline.elapsed(), self.latest.bound, reason, statistics=counts)

    def finished(self, result: Result) -> Result:
        """The result with what only the command knows: time since the start, peak memory, file names."""
        return dataclasses.replace(
            result,
            seconds=self.deadline.elapsed(),
            statistics={**result.statistics, "peak_memory": peak_memory()},
            model=str(self.model),
            spec=str(self.spec),
        )

    def late(self, cause: str) -> None:
        """Write what is known and end the process: for the guard, when the main thread does not answer."""
        code = {"SIGINT": 130, "SIGTERM": 143}.get(cause, 0)
        try:
            if self.emitter.begun:  # the main thread is writing
                return
            self.display.abandon()
            if not self._emitted(self.so_far(cause)):
                return
        except Exception as error:
            code = report(error)
        sys.stdout.flush()
        os._exit(code)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def readable(path: Path, what: str, kind: type[GenbabError]) -> None:
    """Raise unless the file can be opened: the message comes before any library is loaded."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise kind(f"cannot read the {what} {path}: {(error.strerror or str(error)).lower()}") from error
    if empty:
        raise kind(f"the {what} {path} is empty")


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
