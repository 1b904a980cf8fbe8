"""One study in one SQLite file: what is asked, who works on it, what came out, each thing once.

An outcome is written in the transaction that ends its attempt, so a process that dies at any moment loses the
instance it was at and nothing else. Claims of dead processes are released when the next run begins.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from genbab.errors import UsageError
from genbab.result import plain
from genbab.studies.records.provenance import facts, text_hash
from genbab.studies.records.questions import Claim, StudyAnswer, StudyQuestion
from genbab.studies.records.schema import check_record, connect
from genbab.system.process import alive, identity

COLUMNS = "i.id, kind, model, spec, model_hash, spec_hash, timeout, settings, details"
ANSWER = ("verdict", "seconds", "bound", "reason", "peak_memory", "exit_code", "result")
QUEUED = "queue q JOIN instance i ON i.id = q.instance"
LEASE = 3600.0  # seconds that a claim from another machine counts beyond the instance's own limit


class Study:
    """A study file, or (without a path) a study in memory. Safe for threads and for several processes.

    Raises `UsageError` for a file that is no study of this version, or cannot be used.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        if path is not None and not isinstance(path, str | Path):
            raise UsageError(f"study: must be the path of a file, not {path!r:.80}")
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        self._name = "in memory" if self.path is None else str(self.path)
        self._connection = connect(self.path)

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is lost without this."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it happens or nothing."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                closed = isinstance(error, sqlite3.ProgrammingError)
                if not closed and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise UsageError(f"cannot write the study {self._name}: {error}") from error
                raise

    def _read(self, statement: str, values: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        with self._lock:
            try:
                rows = self._connection.execute(statement, values)
                return [one[0] for one in rows.description], rows.fetchall()
            except sqlite3.Error as error:
                raise UsageError(f"cannot read the study {self._name}: {error}; try another") from error

    def keep(self, data: bytes) -> str:
        """Keep these bytes once; returns their hash."""
        name = text_hash(data)
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (name, data))
        return name

    def blob(self, name: str) -> bytes:
        """The bytes with this hash; raises `UsageError` when the study has none."""
        _, found = self._read("SELECT data FROM blob WHERE hash = ?", (name,))
        if not found:
            raise UsageError(f"the study {self.path} has no data called {name}")
        return bytes(found[0][0])

    def begin(self, questions: Sequence[StudyQuestion], fresh: bool = False) -> str:
        """Queue these questions and return the name of the run; open are those without an answer.

        Earlier errors are forgotten, with `fresh` all earlier answers to these questions; so are the claims
        of processes that are gone.
        """
        run = f"{identity()}|{time.monotonic_ns()}"
        with self._writing() as db:
            self._recover(db)
            for position, question in enumerate(questions):
                number = self._number(db, question)
                word = "%" if fresh else "error"
                db.execute("DELETE FROM outcome WHERE instance = ? AND verdict LIKE ?", (number, word))
                if not db.execute("SELECT 1 FROM outcome WHERE instance = ?", (number,)).fetchone():
                    db.execute("INSERT INTO queue VALUES (?, ?, ?)", (run, position, number))
        return run

    @staticmethod
    def _recover(db: sqlite3.Connection) -> None:
        taken = "SELECT DISTINCT claimed_by FROM instance WHERE claimed_by IS NOT NULL"
        for (owner,) in db.execute(taken).fetchall():
            living = alive(owner)
            if living is False:
                db.execute("UPDATE instance SET claimed_by = NULL WHERE claimed_by = ?", (owner,))
            elif living is None:
                late = "UPDATE instance SET claimed_by = NULL WHERE claimed_by = ? AND lease < ?"
                db.execute(late, (owner, time.time()))
        for (run,) in db.execute("SELECT DISTINCT run FROM queue").fetchall():
            if alive(run.rpartition("|")[0]) is False:
                db.execute("DELETE FROM queue WHERE run = ?", (run,))

    @staticmethod
    def _number(db: sqlite3.Connection, q: StudyQuestion) -> int:
        values = (q.key, q.kind, q.model, q.model_hash, q.spec, q.spec_hash, q.timeout)
        texts = (json.dumps(plain(dict(q.settings)), sort_keys=True), json.dumps(plain(dict(q.details))))
        columns = "key, kind, model, model_hash, spec, spec_hash, timeout, settings, details"
        db.execute(f"INSERT OR IGNORE INTO instance ({columns}) VALUES (?,?,?,?,?,?,?,?,?)", values + texts)
        return int(db.execute("SELECT id FROM instance WHERE key = ?", (q.key,)).fetchone()[0])

    def claim(self, run: str, worker: str = "") -> Claim | None:
        """Take the first open question of the run that nobody works on, or None.

        The process and the name `worker` are noted in the attempt.
        """
        with self._writing() as db:
            found = db.execute(
                f"SELECT {COLUMNS} FROM {QUEUED} "
                "WHERE q.run = ? AND i.claimed_by IS NULL ORDER BY q.position LIMIT 1",
                (run,),
            ).fetchone()
            if found is None:
                return None
            number, question = found[0], _question(found)
            lease = time.time() + LEASE + (question.timeout or 24 * 3600.0)
            db.execute(
                "UPDATE instance SET claimed_by = ?, lease = ? WHERE id = ?", (identity(), lease, number)
            )
            row = (number, f"{identity()}|{worker}", _now())
            attempt = db.execute(
                "INSERT INTO attempt (instance, worker, began) VALUES (?,?,?)", row
            ).lastrowid
        assert attempt is not None
        return Claim(number, attempt, question)

    def record(self, claim: Claim, answer: StudyAnswer, origin: str | None = None) -> None:
        """Keep the answer (the first one counts) and end the claim, in one transaction, on the disk.

        origin: the `facts` of the process that found it, where that was another one.
        """
        known = origin or facts()
        result = json.dumps(plain(dict(answer.result)), allow_nan=False)
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO provenance (facts) VALUES (?)", (known,))
            number = db.execute("SELECT id FROM provenance WHERE facts = ?", (known,)).fetchone()[0]
            numbers = (answer.verdict, round(answer.seconds, 3), answer.bound, answer.reason)
            rest = (answer.peak_memory, answer.exit_code, _now(), number, result)
            row = (claim.instance, *numbers, *rest)
            db.execute("INSERT OR IGNORE INTO outcome VALUES (?,?,?,?,?,?,?,?,?,?)", row)
            db.execute("DELETE FROM queue WHERE instance = ?", (claim.instance,))
            self._end(db, claim)

    def release(self, claim: Claim) -> None:
        """Give an instance back without an answer."""
        with self._writing() as db:
            self._end(db, claim)

    @staticmethod
    def _end(db: sqlite3.Connection, claim: Claim) -> None:
        db.execute("UPDATE instance SET claimed_by = NULL WHERE id = ?", (claim.instance,))
        db.execute("UPDATE attempt SET ended = ? WHERE id = ?", (_now(), claim.attempt))

    def orphans(self, run: str) -> list[Claim]:
        """The claims of processes that are gone on open questions of this run."""
        _, taken = self._read(
            f"SELECT {COLUMNS}, i.claimed_by, max(a.id) FROM {QUEUED} JOIN attempt a "
            "ON a.instance = i.id WHERE q.run = ? AND i.claimed_by IS NOT NULL GROUP BY i.id",
            (run,),
        )
        return [Claim(row[0], row[-1], _question(row)) for row in taken if alive(row[-2]) is False]

    def finish(self, run: str) -> None:
        """Forget the queue of a run; answers stay."""
        with self._writing() as db:
            db.execute("DELETE FROM queue WHERE run = ?", (run,))

    def open(self, run: str) -> int:
        """How many questions of a run have no answer yet."""
        return int(self._read("SELECT count(*) FROM queue WHERE run = ?", (run,))[1][0][0])

    def answered(self, questions: Iterable[StudyQuestion]) -> list[StudyAnswer | None]:
        """The answers to these questions, None where there is none."""
        wanted = f"SELECT {', '.join(ANSWER)} FROM outcome JOIN instance i ON i.id = instance WHERE i.key = ?"
        found = [self._read(wanted, (q.key,))[1] for q in questions]
        return [_answer(rows[0]) if rows else None for rows in found]

    def records(self) -> list[dict[str, Any]]:
        """Every instance of the file, in the order in which it was first asked, as plain values.

        Columns: kind, model, spec, model_hash, spec_hash, timeout, settings, details, verdict, seconds,
        bound, reason, peak_memory, exit_code, finished, provenance, result, attempts; None where there is no
        answer yet.
        """
        names, rows = self._read(
            "SELECT kind, model, spec, model_hash, spec_hash, timeout, settings, details, verdict, "
            "seconds, bound, reason, peak_memory, exit_code, finished, facts AS provenance, result, "
            "(SELECT count(*) FROM attempt a WHERE a.instance = i.id) AS attempts "
            "FROM instance i LEFT JOIN outcome o ON o.instance = i.id "
            "LEFT JOIN provenance p ON p.id = o.provenance ORDER BY i.id"
        )
        records = [dict(zip(names, row, strict=True)) for row in rows]
        for record in records:
            for name in ("settings", "details", "provenance", "result"):
                record[name] = _parsed(record[name]) if record[name] else None
            check_record(record)
        return records


def _question(row: Sequence[Any]) -> StudyQuestion:
    """The question in the first columns of a row of `COLUMNS`."""
    kind, model, spec, model_hash, spec_hash, timeout, settings, details = row[1:9]
    texts = (_parsed(settings), _parsed(details))
    return StudyQuestion(kind, model, spec, model_hash, spec_hash, timeout, *texts)


def _answer(row: Sequence[Any]) -> StudyAnswer:
    """The answer in a row of `ANSWER`."""
    known = dict(zip(ANSWER, row, strict=True))
    known["result"] = _parsed(known["result"]) or {}
    check_record({"model": "an instance", **known})
    return StudyAnswer(**known)


def _parsed(text: str) -> Any:
    """The value of a text in JSON; raises `UsageError` where the file is damaged."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"the study file is damaged: {error}; choose another one") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
