"""Damage of a proof's file: of its arrays' bytes, of the zip file around them, and of all bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile

import numpy as np

from tests.check.files import SPLIT, npy
from tests.check.mutations import PARTS, Draft, Generator

SHAPES = (
    "(3, 2)",
    "(2, 3)",
    "(6,)",
    "()",
    "(3, -2)",
    f"({2**40}, 2)",
    f"({2**63},)",
    "(0, 2)",
    "[3]",
    "(3, 2",
    "1",
)
TYPES = (
    "'<f8'",
    "'>f8'",
    "'|O'",
    "'<f16'",
    "[('a', '<f8')]",
    "'<M8[s]'",
    "'V8'",
    "None",
    "{}",
    "'<f8', 'x': 1",
)


def arrays(rng: Generator, made: Draft) -> None:
    """Headers of arrays with other shapes, orders, types and versions, or objects that would be unpickled."""
    name = str(rng.choice([*made.arrays]))
    good = npy(made.arrays[name])
    kind = int(rng.integers(6))
    if kind == 0:
        made.raw[name] = good[: int(rng.integers(len(good)))]
    elif kind == 1:
        made.raw[name] = npy(np.asfortranarray(made.arrays[name]))
    elif kind == 2:
        made.raw[name] = npy(np.array([{"a": 1}], dtype=object), pickle=True)
    elif kind == 3:
        made.raw[name] = npy(np.zeros(int(rng.integers(4)), dtype=SPLIT))
    else:
        order, version = rng.choice(["True", "False", "1", "None"]), rng.choice([1, 1, 2, 3, 4])
        text = (
            f"{{'descr': {rng.choice(TYPES)}, 'fortran_order': {order}, 'shape': {rng.choice(SHAPES)}, }}\n"
        )
        size = len(text).to_bytes(2 if version == 1 else 4, "little")
        longest = b"\xff\xff" if version == 1 else b"\xff\xff\xff\x7f"
        head = b"\x93NUMPY" + bytes([version, 0]) + (longest if rng.random() < 0.1 else size)
        made.raw[name] = head + text.encode() + good[-48:]


def flipped(rng: Generator, made: Draft) -> None:
    """A few bytes that are other ones, anywhere."""
    places, bits = rng.random(int(rng.integers(1, 6))), rng.integers(1, 256, 6)

    def change(data: bytes) -> bytes:
        some = bytearray(data)
        for place, bit in zip(places, bits, strict=False):
            some[int(place * len(some))] ^= int(bit)
        return bytes(some)

    made.whole.append(change)


def truncated(rng: Generator, made: Draft) -> None:
    """A part of the file alone, or with something before, within or after it."""
    first, last = np.sort(rng.random(2))
    kind, noise = int(rng.integers(5)), rng.bytes(int(rng.integers(1, 50)))

    def change(data: bytes) -> bytes:
        a, b = int(first * len(data)), int(last * len(data))
        return (data[:b], data[a:], data[:a] + data[b:], noise + data, data[:a] + noise + data[a:])[kind]

    made.whole.append(change)


def directory(rng: Generator, made: Draft) -> None:
    """Numbers of the zip file's directory and of its end that are other ones."""
    mark = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04")[int(rng.integers(3))]
    value = struct.pack("<I", int(rng.choice([0, 1, 2, 8, 14, 99, 0xFFFF, 2**31, 2**32 - 1])))
    offset, place, width = int(rng.integers(4, 46)), rng.random(), int(rng.choice([1, 2, 4]))

    def change(data: bytes) -> bytes:
        found = [i for i in range(len(data)) if data.startswith(mark, i)]
        start = found[int(place * len(found))] + offset if found else 0
        return data[:start] + value[:width] + data[start + width :]

    made.whole.append(change)


def members(rng: Generator, made: Draft) -> None:
    """A name twice, strange names, other ways of compression, and files much larger than they seem."""
    kind, name = int(rng.integers(5)), str(rng.choice([*made.arrays, "header.json"]))
    second = (
        npy(rng.normal(size=(3, 2))) if name != "header.json" else b'{"format": "genbab proof", "version": 1}'
    )
    strange = str(rng.choice(["../x", "/etc/x", "a\\b", "é" * 20, "splits/000001.npy", "splits/-00001.npy"]))
    odd = str(rng.choice(["lzma", "bz2", "stored"]))

    def change(data: bytes) -> bytes:
        held = io.BytesIO(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == 4:
                return packed(data, odd)
            with zipfile.ZipFile(held, "a", zipfile.ZIP_DEFLATED) as file:
                file.writestr(name if kind < 2 else strange, second if kind != 3 else b"\x00" * 5_000_000)
        return held.getvalue()

    if kind == 3 and rng.random() < 0.5:
        made.raw[name] = b"\x93NUMPY\x01\x00" + b"\x00" * 5_000_000
    made.whole.append(change)


def packed(data: bytes, how: str) -> bytes:
    """The same files, compressed otherwise."""
    ways = {"lzma": zipfile.ZIP_LZMA, "bz2": zipfile.ZIP_BZIP2, "stored": zipfile.ZIP_STORED}
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(held, "w", ways[how]) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return held.getvalue()


CHANGES = (*PARTS, arrays, flipped, truncated, directory, members)
