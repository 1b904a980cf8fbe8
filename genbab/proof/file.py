"""Proof files: what a search found, written down for a checker that derives every bound again.

A proof is nothing but hints (docs/proofs.md): the boxes of the property, the tree of splits, and slopes that
backward passes at the root took. A hint can be wrong without harm, so nothing here needs to be trusted.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genbab.errors import UsageError
from genbab.version import __version__

VERSION = 1
FORMAT = "genbab proof"

CHUNK = 1 << 16
"""Splits that are kept in memory before they are written."""

LEVEL = 4
"""How hard the file is compressed."""

SPLIT = np.dtype([("node", "<i8"), ("tensor", "<i4"), ("entry", "<i8"), ("point", "<f8")])
"""One split: the tree's node, the tensor (-1: the inputs), the entry, and the point."""

Ints = npt.NDArray[np.int64]
Slopes = Mapping[str, tuple[Sequence[npt.NDArray[Any]], npt.NDArray[Any]]]
"""Per function, slopes of every argument and the sides that they are for, by rows."""


@dataclass(frozen=True)
class Subject:
    """What a proof is about: digests of the bytes of the model's file and of the specification's.

    reading: the words of the command line that say what of the model is read, if not all of it.
    """

    model: str
    specification: str
    reading: tuple[str, ...] = ()

    @staticmethod
    def of(
        model: str | Path | bytes, specification: str | Path | bytes, reading: Sequence[str] = ()
    ) -> Subject:
        """The digests of two files, or of their bytes; raises `UsageError` where one cannot be read."""
        return Subject(_digest(model), _digest(specification), tuple(reading))


def _digest(source: str | Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        with open(source, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {source} for its proof: {error.strerror or error}") from error


@dataclass(eq=False)
class ProofFile:
    """The file that a proof is written to while the search runs; it is there once `finish` was called.

    functions: what the checker should relax as one, the output's tensor and those of the arguments; tensors:
    the names that hints speak of; arithmetic, elementary: what the verdict is about, and the table of
    functions that it takes for granted. Where writing fails (a full disk) `failed` says why, and no file is
    left. Raises `UsageError` when the file cannot be made.
    """

    path: Path
    subject: Subject
    functions: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    failed: str = ""
    arithmetic: str = "real"
    elementary: str = ""

    def __post_init__(self) -> None:
        """Open a file without a name, which nothing is left of where a run ends early."""
        self._places: dict[bytes, int] = {}
        self._hints: list[dict[str, Any]] = []
        self._about: dict[str, dict[str, Any]] = {}
        self._of: list[int] = []
        self._tensors: dict[str, int] = {}
        self._waiting: list[npt.NDArray[Any]] = []
        self._held = self._chunks = self._arrays = self._boxes = self.nodes = 0
        try:
            self._bytes = tempfile.TemporaryFile(dir=self.path.parent)
        except OSError as error:
            raise UsageError(f"cannot write the proof {self.path}: {error.strerror or error}") from error
        self._file: zipfile.ZipFile | None = zipfile.ZipFile(
            self._bytes, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL
        )

    def begin(
        self, lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64], clauses: Sequence[int]
    ) -> None:
        """Note the boxes (K, D) of the property, then that of each clause: the first nodes of the tree."""
        self._places = {_key(low, high): k for k, (low, high) in enumerate(zip(lower, upper, strict=True))}
        every = np.concatenate([np.arange(len(lower)), np.asarray(clauses, dtype=np.int64)])
        self._boxes, self.nodes, self._of = len(lower), len(every), list(clauses)
        self._write("boxes/lower.npy", lower[every])
        self._write("boxes/upper.npy", upper[every])

    def roots(self, lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]) -> Ints:
        """The nodes (B,) of boxes (B, D) that were noted at the beginning."""
        found = [self._places[_key(low, high)] for low, high in zip(lower, upper, strict=True)]
        return np.asarray(found, dtype=np.int64)

    def of_clause(self, clause: int, rows: npt.NDArray[np.float64]) -> int:
        """The node of a clause's own tree, which is of these rows (S, O)."""
        node = self._boxes + clause
        if str(node) not in self._about:
            self._about[str(node)] = {"rows": self._array(rows), "box": self._of[clause]}
        return node

    def tensor(self, name: str) -> int:
        """The number of a tensor in splits."""
        return self._tensors.setdefault(name, len(self._tensors))

    def split(self, nodes: Ints, tensors: Ints, entries: Ints, points: npt.NDArray[np.float64]) -> Ints:
        """Note splits (B,); the nodes (2B,) of the lower children, then those of the upper ones."""
        lower = self.nodes + 2 * np.arange(len(nodes), dtype=np.int64)
        self.nodes += 2 * len(nodes)
        rows = np.zeros(len(nodes), SPLIT)
        rows["node"], rows["tensor"], rows["entry"], rows["point"] = nodes, tensors, entries, points
        self._waiting.append(rows)
        self._held += len(nodes)
        if self._held >= CHUNK:
            self._flush()
        return np.concatenate([lower, lower + 1])

    def hint(self, node: int, target: str | None, rows: npt.NDArray[Any], slopes: Slopes) -> None:
        """Note a backward pass at a node of the tree.

        rows: entries (n,) of the target, bounded on both sides, or for None rows (S, O) of the outputs;
        slopes: by the function's output, one array (rows, N) per argument, and the sides that they are for.
        """
        what = {"entries": self._array(rows.astype("<i8"))} if target else {"rows": self._array(rows)}
        self._hints.append({"node": int(node), "target": target, **what, "slopes": self._kept(slopes)})

    def hints(self, nodes: Ints, rows: npt.NDArray[Any], slopes: Slopes) -> None:
        """Note backward passes of rows (B, S, O) of the outputs at nodes (B,), slopes as rows (B S, N)."""
        known, every = self._kept(slopes), self._array(rows.reshape(-1, rows.shape[-1]))
        for b, node in enumerate(nodes.tolist()):
            first = b * rows.shape[1]
            part = {"first": first, "count": rows.shape[1]}
            self._hints.append({"node": node, "target": None, "rows": every, "slopes": known, **part})

    def _kept(self, slopes: Slopes) -> list[dict[str, Any]]:
        """The names of arrays of slopes."""
        known = []
        for out, (parts, upper) in slopes.items():
            names = [self._array(one) for one in parts]
            known.append({"out": out, "slopes": names, "upper": self._array(upper)})
        return known

    def finish(self) -> bool:
        """Complete the file; False where it could not be written."""
        self._flush()
        functions = [{"out": out, "args": list(args)} for out, args in self.functions]
        header = {
            "format": FORMAT,
            "version": VERSION,
            "writer": f"genbab {__version__}",
            "arithmetic": self.arithmetic,
            **({"elementary": self.elementary} if self.elementary else {}),
            "model": {"sha256": self.subject.model},
            "specification": {"sha256": self.subject.specification},
            **({"reading": list(self.subject.reading)} if self.subject.reading else {}),
            "functions": functions,
            "tensors": list(self._tensors),
            "about": self._about,
            "hints": self._hints,
        }
        self._text("header.json", json.dumps(header))
        file, self._file = self._file, None
        if file is None:
            return False
        try:
            file.close()
            self._bytes.seek(0)
            with open(self.path, "wb") as whole:
                shutil.copyfileobj(self._bytes, whole)
            self._bytes.close()
        except OSError as error:
            self._fail(error)
            return False
        return True

    def discard(self) -> None:
        """Leave no file."""
        self._file = None
        with suppress(OSError):
            self._bytes.close()

    def _flush(self) -> None:
        if self._waiting:
            self._write(f"splits/{self._chunks:06d}.npy", np.concatenate(self._waiting))
            self._chunks, self._waiting, self._held = self._chunks + 1, [], 0

    def _array(self, numbers: npt.NDArray[Any]) -> str:
        name = f"arrays/{self._arrays:06d}.npy"
        self._arrays += 1
        self._write(name, numbers)
        return name

    def _write(self, name: str, numbers: npt.NDArray[Any]) -> None:
        held = io.BytesIO()
        np.lib.format.write_array(held, np.ascontiguousarray(numbers), allow_pickle=False)
        self._text(name, held.getvalue())

    def _text(self, name: str, content: bytes | str) -> None:
        if self._file is None:
            return
        try:
            self._file.writestr(name, content)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failed = f"no proof was written to {self.path}: {error.strerror or error}"
        self.discard()


@contextmanager
def proved(
    proof: str | Path | ProofFile | None, model: object, spec: object, reading: Sequence[str] = ()
) -> Iterator[ProofFile | None]:
    """The proof to write to; one that is opened here and not finished leaves no file.

    reading: the words that say what of the model is read. Raises `UsageError` where model and specification
    are not files.
    """
    if not isinstance(proof, str | Path):
        yield proof
        return
    if not isinstance(model, str | Path | bytes) or not isinstance(spec, str | Path):
        raise UsageError("proof: a proof is about files, so model and specification must be given as paths")
    file = ProofFile(Path(proof), Subject.of(model, spec, reading))
    try:
        yield file
    finally:
        file.discard()


def _key(lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]) -> bytes:
    """What tells a box from others."""
    return np.ascontiguousarray(lower).tobytes() + np.ascontiguousarray(upper).tobytes()
