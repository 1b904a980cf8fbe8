"""Other files with something wrong: arrays, images, studies, traces, compressed data."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import zipfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from tests.fuzz.protos import damaged_bytes

Random = random.Random
SHAPES = (
    "()",
    "(3,)",
    "(1099511627776,)",
    "(4294967296, 4294967296)",
    "(-1,)",
    "(0,)",
    "(2, 3)",
    "'a'",
    "(1.5,)",
)
TYPES = (
    "<f4",
    "<f8",
    ">f8",
    "|O",
    "<i8",
    "|S5",
    "<U3",
    "|V8",
    "<c16",
    "[('a', '<f4')]",
    "<M8[s]",
    "<f2",
    "nonsense",
    "<f16",
)


class Trap:
    """Unpickling one of these leaves a file behind."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.place,)


def sound_array() -> bytes:
    """Two samples of three numbers in NumPy's format."""
    file = io.BytesIO()
    np.save(file, np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5]], np.float32))
    return file.getvalue()


def claimed_array(shape: str, kind: str, body: bytes = b"\0" * 24) -> bytes:
    """A file whose header says what it likes."""
    descr = kind if kind.startswith("[") else repr(kind)
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (64 - (len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def pickled_array(trap: Path) -> bytes:
    """An array of objects, whose file NumPy would have to unpickle."""
    return claimed_array("(1,)", "|O", pickle.dumps([Trap(trap)]))


def hostile_array(random: Random, trap: Path) -> bytes:
    """Something in, or nearly in, NumPy's formats."""
    kind = random.randrange(7)
    if kind == 0:
        return pickled_array(trap)
    if kind == 1:
        return pickle.dumps(Trap(trap))
    if kind == 2:
        return _hostile_archive(random)
    if kind < 5:
        return claimed_array(random.choice(SHAPES), random.choice(TYPES))
    return damaged_bytes(sound_array(), random) if random.random() < 0.9 else sound_array()


def _hostile_archive(random: Random) -> bytes:
    """Arrays in a zip file: sound, damaged, with headers that lie, or no arrays."""
    file = io.BytesIO()
    if random.random() < 0.6:
        np.savez(file, a=np.ones(3))
    else:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in random.sample(("x.npy", "y.npy", "z.npy"), random.choice((1, 2))):
                archive.writestr(name, claimed_array(random.choice(SHAPES), random.choice(TYPES)))
    return damaged_bytes(file.getvalue(), random) if random.random() < 0.4 else file.getvalue()


@cache
def sound_image(form: str) -> bytes:
    """A small picture."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(27, dtype=np.uint8).reshape(3, 3, 3)).save(file, form)
    return file.getvalue()


def huge_image() -> bytes:
    """A PNG of 60 000 x 60 000 pixels in a few bytes: 3.6 GB when it is opened."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def hostile_image(random: Random) -> tuple[str, bytes]:
    """The end of a file name, and what the file holds."""
    form = random.choice(("PNG", "BMP", "GIF", "JPEG", "PPM"))
    end = {"JPEG": ".jpg"}.get(form, f".{form.lower()}")
    if random.random() < 0.05:
        return ".png", huge_image()
    data = sound_image(form)
    return end, damaged_bytes(data, random) if random.random() < 0.9 else data


def bomb(kind: str) -> bytes:
    """Two gigabytes and more of zeros (spaces), compressed twice or once."""
    if kind == "gzip":
        return _spaces()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", claimed_array("(268435456,)", "<f8", b"\0" * (1 << 24)))
    return file.getvalue()


@cache
def _spaces() -> bytes:
    """2.1 GB of spaces in gzip: one compressed piece of 64 MiB, again and again."""
    piece = gzip.compress(b" " * (1 << 26), 9, mtime=0)
    return piece * 33


@cache
def sound_study() -> bytes:
    """A study file with one instance that was answered."""
    import tempfile

    from genbab.studies.records.questions import StudyAnswer, StudyQuestion
    from genbab.studies.records.store import Study

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "s.db"
        with Study(place) as study:
            run = study.begin([StudyQuestion("instance", "m.onnx", "s.vnnlib", timeout=5.0)], False)
            claim = study.claim(run, "0")
            assert claim is not None
            study.record(claim, StudyAnswer("verified", 1.0, 0.5, "r", 1, 0, {"a": 1}))
            study.finish(run)
        return place.read_bytes()


def hostile_study(random: Random) -> bytes:
    """A study file that is damaged, or was changed by another program."""
    data = sound_study()
    return damaged_study(data, random) if random.random() < 0.5 else damaged_bytes(data, random)


def damaged_study(data: bytes, random: Random) -> bytes:
    """The file after a statement of SQL that a friend might have tried."""
    import sqlite3
    import tempfile

    statements = (
        "UPDATE outcome SET result = 'no json'",
        "UPDATE outcome SET verdict = NULL",
        "UPDATE outcome SET seconds = 'abc'",
        "UPDATE outcome SET bound = 'abc'",
        "UPDATE outcome SET verdict = x'80ff'",
        "UPDATE instance SET settings = '['",
        "UPDATE instance SET details = '[1]'",
        "UPDATE instance SET model = x'00ff'",
        "UPDATE instance SET timeout = 'soon'",
        "UPDATE provenance SET facts = 'x'",
        "DROP TABLE attempt",
        "DROP TABLE outcome",
        "DROP TABLE queue",
        "ALTER TABLE instance RENAME COLUMN model TO m",
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 7",
        "DELETE FROM provenance",
        "DELETE FROM instance",
        "UPDATE outcome SET result = '[]'",
        "UPDATE outcome SET result = '{\"a\": 1e999}'",
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "s.db"
        place.write_bytes(data)
        with sqlite3.connect(place) as made:
            try:
                made.execute("PRAGMA foreign_keys = OFF")
                made.execute(random.choice(statements))
            except sqlite3.Error:
                pass
        made.close()
        return place.read_bytes()


TRACE = b"""{"t": 0.0, "event": "run", "trace": 1, "genbab": "0", "model": "m", "spec": "s", "settings": {}}
{"t": 0.1, "event": "stage", "stage": "reading the model", "seconds": 0.1, "bound": null}
{"t": 0.5, "event": "round", "bound": -0.5, "open": 2, "visited": 3, "depth": 1, "batch": 2, "seconds": {}}
{"t": 0.9, "event": "round", "bound": -0.1, "open": 4, "visited": 9, "depth": 2, "batch": 4, "seconds": {}}
{"t": 1.0, "event": "end", "verdict": "unknown", "bound": 0.1, "reason": "", "seconds": 1.0, "stages": {}}
"""


def hostile_trace(random: Random) -> bytes:
    """The record of a run with something wrong."""
    return damaged_json(TRACE, random)


PATTERNS = (
    b'{"schema": 1, "patterns": [ {"label": 0 , "delta": 0.95 , "samples": 7 , "layers": [ '
    b'{"name": "h" , "lower": [ -1.0 , null , 0.5 ] , "upper": [ 1.0 , 2.0 , null ] } ] } , '
    b'{"label": 1 , "delta": 0.9 , "samples": 3 , "layers": [ ] } ] }'
)


def hostile_patterns(random: Random) -> bytes:
    """A file of activation patterns with something wrong."""
    return damaged_json(PATTERNS, random)


def damaged_json(data: bytes, random: Random) -> bytes:
    """The text with other bytes, or other words between its spaces."""
    if random.random() < 0.3:
        return damaged_bytes(data, random)
    words = (
        b"null",
        b"1e999",
        b"NaN",
        b"[]",
        b"{}",
        b'"a"',
        b'"\\ud800"',
        b"-1",
        b"[" * 20_000,
        b"9" * 5000,
        b"true",
        b"1e308",
    )
    pieces = data.split(b" ")
    for _ in range(random.choice((1, 2, 5))):
        pieces[random.randrange(len(pieces))] = random.choice(words)
    return b" ".join(pieces)
