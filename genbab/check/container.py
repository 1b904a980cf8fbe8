"""Reads a proof: a zip file of a header and of arrays, none of which is trusted."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genbab.check.failures import Unusable
from genbab.check.intervals import Array, Indices

SPLIT = np.dtype([("node", "<i8"), ("tensor", "<i4"), ("entry", "<i8"), ("point", "<f8")])
LONGEST_HEADER = 1 << 26
MOST_KEPT = 1 << 28  # bytes
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
)
"""What the standard library says of damaged zip files; names that are no text are a `ValueError`."""

AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class SlopeHint:
    """Slopes of one function: names of arrays, one for each argument, and of their sides."""

    out: str
    slopes: tuple[str, ...]
    upper: str | None


@dataclass(frozen=True)
class Hint:
    """Slopes for rows at a node of the tree: of a tensor's entries, or of the outputs."""

    node: int
    target: str | None
    entries: str | None
    rows: str | None
    slopes: tuple[SlopeHint, ...]
    first: int = 0  # of the rows of its arrays that are its own, and how many they are, None for all
    count: int | None = None


@dataclass(frozen=True)
class Own:
    """A box that disjuncts of these rows have for themselves, and the box whose hints hold for it, too."""

    rows: AnyArray
    box: int


@dataclass
class Proof:
    """What the file says: boxes, splits, functions to be joined, hints; arrays by name on demand."""

    low: Array  # (K, D)
    high: Array
    splits: AnyArray  # of type SPLIT
    header: dict[str, Any]
    tensors: list[str]
    functions: list[tuple[str, list[str]]]
    hints: dict[int, list[Hint]]
    about: dict[int, Own]  # of boxes
    _archive: zipfile.ZipFile = field(repr=False)
    _limit: int = 1 << 30
    _kept: dict[str, AnyArray] = field(default_factory=dict, repr=False)

    @property
    def elementary(self) -> str | None:
        """The table of elementary functions of an execution in float32; None for the real numbers."""
        if self.header.get("arithmetic", "real") == "real":
            return None
        return str(self.header.get("elementary", "onnxruntime"))

    def hints_of(self, node: int) -> list[Hint]:
        """The hints of a node of the tree, after those of the box that it is a part of."""
        of = self.about[node].box if node in self.about else node
        shared = self.hints.get(of, []) if of != node else []
        return [*shared, *self.hints.get(node, [])]

    def array(self, name: str, kinds: str = "fiub") -> AnyArray:
        """An array of a hint; the last ones are kept."""
        if name not in self._kept:
            self._kept[name] = _array(self._archive, name, self._limit, "fiub")
            while len(self._kept) > 1 and sum(a.nbytes for a in self._kept.values()) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        found = self._kept[name]
        if found.dtype.kind not in kinds:
            raise Unusable(f"{name} of the proof is no array that is read: entries of type {found.dtype}")
        return found


def read_proof(path: Path, limit: int) -> Proof:
    """The proof in a file, of arrays of at most so many bytes each."""
    try:
        if path.stat().st_size > limit:
            raise Unusable(f"the proof has more than {limit} bytes (--memory)")
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))  # in memory: nobody changes it meanwhile
        header = _header(_bytes(archive, "header.json", LONGEST_HEADER))
        low, high = (_array(archive, f"boxes/{end}.npy", limit, "f") for end in ("lower", "upper"))
        if low.shape != high.shape or low.ndim != 2 or low.dtype != np.float64 or not low.size:
            raise Unusable("the proof's boxes are not two arrays (K, D) of float64")
        if np.isnan(low).any() or np.isnan(high).any():
            raise Unusable("a box of the proof is not a number")
        splits = _splits(archive, limit, len(low))
    except UNREADABLE as error:
        raise Unusable(f"the proof is no zip file that can be read: {error}") from None
    functions = [(_text(f, "out"), _texts(f, "args")) for f in _records(header, "functions")]
    hints: dict[int, list[Hint]] = {}
    for record in _records(header, "hints"):
        hint = _hint(record)
        hints.setdefault(hint.node, []).append(hint)
    if any(not 1 <= len(arguments) <= 2 for _, arguments in functions):
        raise Unusable("a function of the proof has neither one nor two arguments")
    about = _about(header, archive, limit, len(low))
    return Proof(
        low, high, splits, header, _texts(header, "tensors"), functions, hints, about, archive, limit
    )


def _about(header: dict[str, Any], archive: zipfile.ZipFile, limit: int, boxes: int) -> dict[int, Own]:
    """By box, the disjuncts that have it for themselves."""
    found, about = header.get("about") or {}, dict[int, Own]()
    if not isinstance(found, dict) or not all(isinstance(record, dict) for record in found.values()):
        raise Unusable("about in the proof's header is no object of objects")
    for box, record in found.items():
        of = record.get("box", 0)
        known = box.isdecimal() and len(box) <= 12 and int(box) < boxes
        if not known or not isinstance(of, int) or not 0 <= of < boxes:
            raise Unusable(
                f"about in the proof's header names the box {box[:20]} or {of}, which is not there"
            )
        about[int(box)] = Own(_array(archive, _text(record, "rows"), limit, "f"), of)
    return about


def _bytes(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise Unusable(f"the proof has no {name}") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable(f"{name} of the proof is packed otherwise than stored or deflated")
    if info.file_size > limit:
        raise Unusable(f"{name} of the proof has {info.file_size} bytes; at most {limit} are read")
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)
    except UNREADABLE as error:
        raise Unusable(f"{name} of the proof cannot be read: {error}") from None
    if len(data) > limit:
        raise Unusable(f"{name} of the proof has more than {limit} bytes")
    return data


def _array(archive: zipfile.ZipFile, name: str, limit: int, kinds: str) -> AnyArray:
    """An array of numbers of these kinds, or of splits, whose shape fits the bytes that are there."""
    data = _bytes(archive, name, limit)
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"version {version}")
        shape, fortran, dtype = readers[version](file)
        if dtype.hasobject or (dtype != SPLIT if not kinds else dtype.kind not in kinds):
            raise ValueError(f"entries of type {dtype}")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
            raise ValueError(f"shape {shape} and {len(data)} bytes do not agree")
        flat = np.frombuffer(data, dtype, offset=file.tell())
        return flat.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # whatever numpy says of a header
        raise Unusable(f"{name} of the proof is no array that is read: {str(error)[:200]}") from None


def _splits(archive: zipfile.ZipFile, limit: int, boxes: int) -> AnyArray:
    chunks = [np.zeros(0, SPLIT)]
    names = set(archive.namelist())
    while (name := f"splits/{len(chunks) - 1:06d}.npy") in names:
        chunk = _array(archive, name, limit, "")
        if chunk.dtype != SPLIT or chunk.ndim != 1:
            raise Unusable(f"{name} of the proof is no array (n,) of node, tensor, entry and point")
        chunks.append(chunk)
        if sum(map(len, chunks)) * SPLIT.itemsize > limit:
            raise Unusable("the proof has too many splits")
    splits = np.concatenate(chunks)
    known = boxes + 2 * np.arange(len(splits))
    wrong = (splits["node"] < 0) | (splits["node"] >= known) | ~np.isfinite(splits["point"])
    if wrong.any():
        raise Unusable(f"split {int(np.argmax(wrong))} of the proof is of no node before it, or at no number")
    if len(np.unique(splits["node"])) != len(splits):
        raise Unusable("a node of the proof is split twice")
    return splits


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"header.json of the proof cannot be read: {error}") from None
    if not isinstance(header, dict) or header.get("format") != "genbab proof" or header.get("version") != 1:
        raise Unusable("header.json does not say that it is a genbab proof of version 1")
    arithmetic = header.get("arithmetic", "real")
    if arithmetic not in ("real", "float32"):
        raise Unusable(
            f"only proofs about real or float32 arithmetic are checked, not {str(arithmetic)[:40]}"
        )
    return header


def _records(header: dict[str, Any], name: str) -> Sequence[dict[str, Any]]:
    found = header.get(name) or []
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise Unusable(f"{name} of the proof's header is no list of objects")
    return found


def _text(record: dict[str, Any], name: str, optional: bool = False) -> Any:
    found = record.get(name)
    if not isinstance(found, str) and not (optional and found is None):
        raise Unusable(f"{name} in the proof's header must be a text, not {str(found)[:40]}")
    return found


def _texts(record: dict[str, Any], name: str) -> list[str]:
    found = record.get(name) or []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise Unusable(f"{name} in the proof's header must be a list of texts")
    return found


def _hint(record: dict[str, Any]) -> Hint:
    node = record.get("node")
    if not isinstance(node, int):
        raise Unusable("a hint of the proof names no node")
    slopes = tuple(
        SlopeHint(_text(s, "out"), tuple(_texts(s, "slopes")), _text(s, "upper", optional=True))
        for s in _records(record, "slopes")
    )
    target, entries, rows = (_text(record, name, optional=True) for name in ("target", "entries", "rows"))
    first, count = record.get("first", 0), record.get("count")
    if not all(isinstance(n, int) and n >= 0 for n in (first, 0 if count is None else count)):
        raise Unusable("a hint of the proof has rows that are not there")
    return Hint(node, target, entries, rows, slopes, first, count)


def indices(array: AnyArray, below: int, what: str) -> Indices:
    """The array as indices of so many entries."""
    if array.ndim != 1 or array.dtype.kind not in "iu" or ((array < 0) | (array >= below)).any():
        raise Unusable(f"{what} of the proof are no indices below {below}")
    return array.astype(np.int64)
