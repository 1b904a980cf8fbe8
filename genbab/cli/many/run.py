"""`genbab run INSTANCES.csv`: every instance in its own process, every outcome kept at once, resumable."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from genbab.cli.many.child import ChildOutcome, Children, Ended, run_child, verify_apart
from genbab.cli.many.instances import ListedInstance, read_instances
from genbab.cli.many.table import print_table
from genbab.cli.options.model import ReadingWords
from genbab.cli.options.settings import settings_of, words_of
from genbab.config import Config
from genbab.errors import UsageError
from genbab.proof import CheckerVerdict, checked, seconds_of, surroundings
from genbab.result import Result
from genbab.studies.records.export import to_vnncomp
from genbab.studies.records.provenance import file_hash, text_hash
from genbab.studies.records.questions import Claim, StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.system.files import write_atomically

MOST_WORKERS = 1024


def command(options: argparse.Namespace) -> int:
    """Verify every instance that has no outcome yet, print a table; returns 0, 130/143 when interrupted."""
    settings = settings_of(options)
    cap = Config.from_text(settings).timeout
    listed = Path(options.instances)
    instances = read_instances(listed)
    table, place = _places(options, listed)
    workers = _workers(options.workers)
    given = {"counterexample": options.counterexamples, "proof": options.proofs}
    keep = {kind: Path(folder) for kind, folder in given.items() if folder}
    if options.check_proof is not None and not options.proofs:
        raise UsageError("--check-proof: there is nothing to check without --proofs")
    seconds_of(options.check_proof, cap)  # nonsense is said before any work
    for kind, folder in keep.items():
        _make(folder, f"--{kind}s")
    hashed = cache(file_hash)
    reading = ReadingWords.of(options).words
    if reading and any(one.networks for one in instances):
        raise UsageError(f"{' '.join(reading)}: queries of the list declare inputs and outputs by themselves")
    questions = [_read_so(_question(one, _limit(one, cap), settings, hashed), reading) for one in instances]
    with Study(place) as study:
        run = study.begin(questions, options.fresh)
        words = _Words(dict(zip((q.key for q in questions), enumerate(instances, 1), strict=True)), keep)
        words.check, words.reading = options.check_proof, reading
        words.threads = None if workers == 1 or "threads" in settings else _share(workers)
        crew = Crew(study, run, words, len(questions))
        crew.done = sum(answer is not None for answer in study.answered(questions))
        code = crew.run(workers)
        study.finish(run)
        answers = study.answered(questions)
    records = [_record(q, a) for q, a in zip(questions, answers, strict=True)]
    write_atomically(table, to_vnncomp(listed.resolve().parent.name, records))
    print_table(records, str(place))
    return code


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


class _Words:
    """The words of `genbab verify` for a question of this list."""

    threads: int | None = None
    check: str | None = None  # seconds for the check of a proof
    reading: Sequence[str] = ()  # what of the models is read

    def __init__(self, rows: Mapping[str, tuple[int, ListedInstance]], keep: Mapping[str, Path]) -> None:
        self.rows, self.keep = rows, keep

    def __call__(self, question: StudyQuestion) -> list[str]:
        number, one = self.rows[question.key]
        words = [*one.words, *self.reading, *words_of(question.settings)]
        if self.threads:
            words += ["--threads", str(self.threads)]
        for kind in self.keep:
            if kind == "proof" and one.networks:  # there are no proofs of queries
                continue
            words += ["--check-proof", "0"] if kind == "proof" else []  # it is `checked` afterwards
            words += [f"--{kind}", str(self.place(number, one, kind))]
        return words

    def place(self, number: int, one: ListedInstance, kind: str) -> Path:
        """Where the counterexample or the proof of an instance is kept."""
        models = "+".join(path.stem for _, path in one.networks) or Path(one.model).stem
        return self.keep[kind] / f"{number:04d}_{models}_{Path(one.spec).stem}.{kind}"

    def checked(self, question: StudyQuestion, result: Result, children: Children) -> Result:
        """The result with what `genbab-check` says of its proof, if one is kept; raises `Ended`."""
        number, one = self.rows[question.key]
        if "proof" not in self.keep or one.networks:
            return result

        def start(words: Sequence[str], limit: float) -> tuple[int, str, str]:
            end = run_child(words, limit, surroundings(), children)
            return end.code, end.stdout, end.stderr

        files = (one.model_path, one.spec_path, self.place(number, one, "proof"))
        processes = int(question.settings.get("threads") or self.threads or 1)
        return checked(
            result, files, seconds_of(self.check, question.timeout), processes, start, self.reading
        )


WAKE = 0.2
"""Seconds after which a waiting thread looks up: a signal just before it waits does not wake it."""


class Crew:
    """Threads that each wait for one `genbab verify` after the other, until no question of a run is open."""

    def __init__(self, study: Study, run: str, words: _Words, count: int) -> None:
        self.study, self.name, self.words, self.count = study, run, words, count
        self.children = Children()
        self.trouble: list[BaseException] = []
        self.done = 0

    def run(self, workers: int) -> int:
        """Work until all is answered: 0; or until a signal: 130 or 143, and open instances stay open.

        Raises what went wrong in a thread.
        """
        ends = [threading.Event() for _ in range(workers)]  # an interrupted join() believes that all is over
        threads = [
            threading.Thread(target=self._work, args=(str(n), end), daemon=True) for n, end in enumerate(ends)
        ]
        before = signal.signal(signal.SIGTERM, _terminated)
        code = 0
        try:
            for thread in threads:
                thread.start()
            for end in ends:
                while not end.wait(WAKE):
                    pass
        except KeyboardInterrupt as cause:
            code = 143 if isinstance(cause, Terminated) else 130
        finally:
            signal.signal(signal.SIGTERM, before)
            self.children.end()
            for thread, end in zip(threads, ends, strict=True):
                if thread.ident is not None:
                    end.wait()
        if self.trouble:
            raise self.trouble[0]
        return code

    def _work(self, worker: str, end: threading.Event) -> None:
        try:
            while not self.children.ended and (claim := self.study.claim(self.name, worker)):
                self._one(claim)
        except BaseException as error:
            self.trouble.append(error)
            self.children.end()
        finally:
            end.set()

    def _one(self, claim: Claim) -> None:
        question = claim.question
        try:
            outcome = verify_apart(self.words(question), question.timeout, children=self.children)
            if outcome.result is not None:
                result = self.words.checked(question, outcome.result, self.children)
                outcome = replace(outcome, result=result)
        except Ended:
            self.study.release(claim)
            return
        if self.children.ended:  # it did not end by itself
            self.study.release(claim)
            return
        self.study.record(claim, _answer(outcome))
        self.done += 1
        check = None if outcome.result is None else CheckerVerdict.of(outcome.result.statistics)
        proof = "" if check is None else f", proof {check.outcome}"
        told = f"{question.model} {question.spec}: {outcome.verdict} {outcome.seconds:.1f} s{proof}"
        print(f"[{self.done}/{self.count}] {told}", file=sys.stderr, flush=True)


def _question(
    one: ListedInstance, limit: float | None, settings: Mapping[str, str], hashed: Callable[[Path], str]
) -> StudyQuestion:
    chosen = {k: v for k, v in sorted(settings.items()) if k != "timeout"}
    models = "".join(f"{name}={hashed(path)}\n" for name, path in one.networks)
    hashes = (text_hash(models) if models else hashed(one.model_path), hashed(one.spec_path))
    return StudyQuestion("instance", one.model, one.spec, *hashes, limit, chosen)


def _read_so(question: StudyQuestion, reading: Sequence[str]) -> StudyQuestion:
    """The question about the model that is read so: another one than the whole."""
    if not reading:
        return question
    return replace(question, model_hash=text_hash("\n".join([question.model_hash, *reading])))


def _answer(outcome: ChildOutcome) -> StudyAnswer:
    return StudyAnswer(
        outcome.verdict,
        outcome.seconds,
        outcome.bound,
        outcome.reason,
        outcome.peak_memory,
        outcome.exit_code,
        {} if outcome.result is None else outcome.result.to_dict(),
    )


def _record(question: StudyQuestion, answer: StudyAnswer | None) -> dict[str, Any]:
    known = {"verdict": None} if answer is None else asdict(answer)
    return {"model": question.model, "spec": question.spec, **known}


def _places(options: argparse.Namespace, listed: Path) -> tuple[Path, Path]:
    """Where VNN-COMP's results and the study go."""
    table = Path(options.output) if options.output else listed.with_name(listed.stem + ".results.csv")
    base = table if options.output else listed
    study = Path(options.study) if options.study else base.with_name(base.stem + ".study.db")
    if len({p.resolve() for p in (table, study, listed)}) < 3:
        raise UsageError("the list, --output and --study must be different files")
    for option, path in (("--output", table), ("--study", study)):
        if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write {path}; choose another place with {option}")
    return table, study


def _make(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option} {folder}: {(error.strerror or str(error)).lower()}") from error


def _workers(text: str) -> int:
    if text.isdigit() and 0 < int(text) <= MOST_WORKERS:
        return int(text)
    raise UsageError(f"--workers {text}: must be a whole number from 1 to {MOST_WORKERS}")


def _share(workers: int) -> int:
    return max(1, (os.cpu_count() or 1) // workers)


def _limit(one: ListedInstance, cap: float | None) -> float | None:
    given = [t for t in (one.timeout, cap) if t is not None]
    return min(given) if given else None
