"""The tables of a study file, an SQLite database; opening one, or refusing what is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbab.errors import UsageError

VERSION = 1
APPLICATION = 0x67656E62  # "genb" in the header of the file
BUSY = 60.0  # seconds to wait for another writer

TABLES = """
CREATE TABLE provenance (
    id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
CREATE TABLE blob (
    hash TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE instance (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    model TEXT NOT NULL, model_hash TEXT NOT NULL, spec TEXT NOT NULL, spec_hash TEXT NOT NULL,
    timeout REAL, settings TEXT NOT NULL, details TEXT NOT NULL,
    claimed_by TEXT, lease REAL);
CREATE TABLE queue (
    run TEXT NOT NULL, position INTEGER NOT NULL, instance INTEGER NOT NULL REFERENCES instance(id),
    PRIMARY KEY (run, position));
CREATE INDEX queued ON queue (instance);
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY, instance INTEGER NOT NULL REFERENCES instance(id),
    worker TEXT NOT NULL, began TEXT NOT NULL, ended TEXT);
CREATE TABLE outcome (
    instance INTEGER PRIMARY KEY REFERENCES instance(id),
    verdict TEXT NOT NULL, seconds REAL NOT NULL, bound REAL, reason TEXT NOT NULL,
    peak_memory INTEGER, exit_code INTEGER, finished TEXT NOT NULL,
    provenance INTEGER NOT NULL REFERENCES provenance(id), result TEXT NOT NULL);
"""


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection to the study in this file, made when it is not there; None: one in memory.

    A study in a place that cannot be written is opened for reading. Raises `UsageError` when the file cannot
    be used, is no study, or one of another schema.
    """
    name = ":memory:" if path is None else str(path)
    try:
        return _writable(name)
    except sqlite3.OperationalError as error:
        if path is None or not path.is_file() or "locked" in str(error) or _unfinished(path):
            raise _refused(name, error) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(name, error) from error
    try:
        made = _opened(f"{path.resolve().as_uri()}?mode=ro&immutable=1")
        _refuse_others(made, name)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(name, error) from error
    return made


def _opened(name: str) -> sqlite3.Connection:
    uri = name.startswith("file:")
    return sqlite3.connect(name, timeout=BUSY, isolation_level=None, check_same_thread=False, uri=uri)


def _writable(name: str) -> sqlite3.Connection:
    made = _opened(name if name == ":memory:" else str(Path(name).absolute()))
    try:
        _refuse_others(made, name)
        made.execute("PRAGMA journal_mode = WAL").fetchone()
        made.execute("PRAGMA synchronous = FULL")
        _prepare(made)
    except BaseException:
        made.close()
        raise
    return made


def _unfinished(path: Path) -> bool:
    """Whether answers lie in the journal beside the file, which reading the file alone would miss."""
    journal = path.with_name(path.name + "-wal")
    return journal.is_file() and journal.stat().st_size > 0


def _refused(name: str, error: Exception) -> UsageError:
    told, hint = str(error), "choose another file"
    if "not a database" in told:
        told = "not a study file"
    elif "locked" in told:
        told, hint = "another program holds it", "try again when it is done"
    elif not Path(name).parent.is_dir():
        told = f"no such folder as {Path(name).parent}"
    return UsageError(f"cannot use the study {name}: {told}; {hint}")


def _refuse_others(made: sqlite3.Connection, name: str) -> None:
    """Raises `UsageError` for databases that are no studies, before anything is written."""
    application = made.execute("PRAGMA application_id").fetchone()[0]
    version = made.execute("PRAGMA user_version").fetchone()[0]
    tables = made.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and (application or tables):
        raise UsageError(f"cannot use the study {name}: it is another program's database")
    if application == APPLICATION and version != VERSION:
        raise UsageError(f"cannot use the study {name}: its schema is {version}, this genbab reads {VERSION}")


def _prepare(made: sqlite3.Connection) -> None:
    """Make the tables of a new file, all or none."""
    made.execute("BEGIN IMMEDIATE")
    if made.execute("PRAGMA application_id").fetchone()[0] == 0:
        for statement in TABLES.split(";"):
            made.execute(statement)
        made.execute(f"PRAGMA application_id = {APPLICATION}")
        made.execute(f"PRAGMA user_version = {VERSION}")
    made.execute("COMMIT")


NUMBER = (int, float, type(None))
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("kind", "model", "spec", "model_hash", "spec_hash"), (str,)),
    **dict.fromkeys(("timeout", "seconds", "bound", "peak_memory", "exit_code"), NUMBER),
    **dict.fromkeys(("verdict", "reason", "finished"), (str, type(None))),
    **dict.fromkeys(("settings", "details", "result", "provenance"), (dict, type(None))),
}


def check_record(record: Mapping[str, Any]) -> None:
    """Raises `UsageError` where a record's values are not of the types that studies have: a damaged file."""
    wrong = [name for name, kinds in KINDS.items() if name in record and not isinstance(record[name], kinds)]
    if record["verdict"] is not None and record["seconds"] is None:
        wrong.append("seconds")
    if wrong:
        raise UsageError(
            f"the study file is damaged ({', '.join(wrong)} of {record['model']!r}); choose another one"
        )
