"""What is to be done for one instance of a list, and doing it; an order can be sent to another machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genbab.cli.many.child import ChildOutcome, Children, run_child, verify_apart
from genbab.cli.many.instances import ListedInstance
from genbab.cli.options.settings import words_of
from genbab.proof import checked, seconds_of, surroundings
from genbab.studies.records.questions import StudyQuestion


@dataclass(frozen=True)
class CheckOrder:
    """How the proof at `place` is checked: seconds, processes, words that say what of the model is read."""

    place: str
    seconds: float
    processes: int
    reading: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """One `genbab verify` and the check of its proof.

    words: of the command; timeout: in seconds; reads, writes: the files among the words, as they stand there,
    those that are read with the model (or models) first.
    """

    words: tuple[str, ...]
    timeout: float | None
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    check: CheckOrder | None = None

    def moved(self, places: Mapping[str, str]) -> Order:
        """The same with other places for its files."""
        check = self.check and replace(self.check, place=places[self.check.place])
        reads, writes = (tuple(places[name] for name in names) for names in (self.reads, self.writes))
        return Order(tuple(_moved(w, places) for w in self.words), self.timeout, reads, writes, check)


def _moved(word: str, places: Mapping[str, str]) -> str:
    """The word, which may be a file or NAME=FILE."""
    if word in places:
        return places[word]
    name, equals, path = word.partition("=")
    return f"{name}={places[path]}" if equals and path in places and not name.startswith("--") else word


def carried_out(order: Order, children: Children) -> ChildOutcome:
    """What came of an order, in processes that `children` can end; raises `Ended` after that."""
    outcome = verify_apart(order.words, order.timeout, children=children)
    if order.check is None or outcome.result is None:
        return outcome

    def start(words: Sequence[str], limit: float) -> tuple[int, str, str]:
        end = run_child(words, limit, surroundings(), children)
        return end.code, end.stdout, end.stderr

    check = order.check
    files = (order.reads[0], order.reads[1], check.place)
    result = checked(outcome.result, files, check.seconds, check.processes, start, check.reading)
    return replace(outcome, result=result)


@dataclass
class Orders:
    """The orders for the questions of a list.

    rows: number and instance by the question's key; keep: folders for what is kept, by kind; check: seconds
    for the check of a proof; reading: what of the models is read; threads: of each, None for all.
    """

    rows: Mapping[str, tuple[int, ListedInstance]]
    keep: Mapping[str, Path]
    check: str | None = None
    reading: Sequence[str] = ()
    threads: int | None = None

    def __call__(self, question: StudyQuestion) -> Order:
        number, one = self.rows[question.key]
        words, writes = [*one.words, *self.reading], []
        words += words_of(question.settings)
        if self.threads:
            words += ["--threads", str(self.threads)]
        check = None
        for kind in self.keep:
            if kind == "proof" and one.networks:  # there are no proofs of queries
                continue
            place = str(self.place(number, one, kind))
            if kind == "proof":
                words += ["--check-proof", "0"]  # it is checked afterwards
                check = self._check(question, place)
            words += [f"--{kind}", place]
            writes.append(place)
        return Order(tuple(words), question.timeout, tuple(one.files), tuple(writes), check)

    def place(self, number: int, one: ListedInstance, kind: str) -> Path:
        """Where the counterexample or the proof of an instance is kept."""
        models = "+".join(path.stem for _, path in one.networks) or Path(one.model).stem
        return self.keep[kind] / f"{number:04d}_{models}_{Path(one.spec).stem}.{kind}"

    def _check(self, question: StudyQuestion, place: str) -> CheckOrder:
        processes = int(question.settings.get("threads") or self.threads or 1)
        return CheckOrder(place, seconds_of(self.check, question.timeout), processes, tuple(self.reading))
