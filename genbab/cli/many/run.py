"""`genbab run INSTANCES.csv`: every instance in its own process, every outcome kept at once, resumable."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from genbab.cli.many.here import Here
from genbab.cli.many.instances import ListedInstance, read_instances
from genbab.cli.many.order import Orders
from genbab.cli.many.table import print_table
from genbab.cli.options.model import ReadingWords
from genbab.cli.options.settings import settings_of
from genbab.cluster import ClusterAddress
from genbab.config import Config
from genbab.errors import UsageError
from genbab.proof import CheckerVerdict, seconds_of
from genbab.studies.records.export import to_vnncomp
from genbab.studies.records.provenance import file_hash, text_hash
from genbab.studies.records.questions import Claim, StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.studies.work.crew import Answering, Crew
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
    cluster = None if options.cluster is None else ClusterAddress.of(options.cluster)
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
        rows = dict(zip((q.key for q in questions), enumerate(instances, 1), strict=True))
        orders = Orders(rows, keep, options.check_proof, reading)
        counter = Counter(len(questions) - study.open(run), len(questions))

        def work() -> None:
            with _answering(cluster, workers, settings, orders) as (answering, count):
                Crew(study, run, answering, counter).work(count)

        code = _until_signal(work) if study.open(run) else 0
        study.finish(run)
        answers = study.answered(questions)
    records = [_record(q, a) for q, a in zip(questions, answers, strict=True)]
    write_atomically(table, to_vnncomp(listed.resolve().parent.name, records))
    print_table(records, str(place))
    return code


@contextmanager
def _answering(
    cluster: ClusterAddress | None, workers: int | None, settings: Mapping[str, str], orders: Orders
) -> Iterator[tuple[Answering, int]]:
    """What answers, and how many questions at a time."""
    if cluster is None:
        workers = workers or 1
        orders.threads = None if workers == 1 or "threads" in settings else _share(workers)
        yield Here(orders), workers
        return
    from genbab.cli.many.there import cluster_crew

    with cluster_crew(cluster, workers, settings, orders) as crew:
        yield crew


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _until_signal(work: Callable[[], None]) -> int:
    """0 when the work is done; 130 or 143 after a signal."""
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        work()
    except KeyboardInterrupt as cause:
        return 143 if isinstance(cause, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


class Counter:
    """Says on stderr what came of every instance, and how many of all have an outcome."""

    def __init__(self, done: int, count: int) -> None:
        self.done, self.count = done, count

    def __call__(self, claim: Claim, answer: StudyAnswer) -> None:
        self.done += 1
        check = CheckerVerdict.of(answer.result.get("statistics") or {})
        proof = "" if check is None else f", proof {check.outcome}"
        question = claim.question
        told = f"{question.model} {question.spec}: {answer.verdict} {answer.seconds:.1f} s{proof}"
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


def _workers(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdigit() and 0 < int(text) <= MOST_WORKERS:
        return int(text)
    raise UsageError(f"--workers {text}: must be a whole number from 1 to {MOST_WORKERS}")


def _share(workers: int) -> int:
    return max(1, (os.cpu_count() or 1) // workers)


def _limit(one: ListedInstance, cap: float | None) -> float | None:
    given = [t for t in (one.timeout, cap) if t is not None]
    return min(given) if given else None
