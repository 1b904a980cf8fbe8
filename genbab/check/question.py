"""What a check is about: program, specification, proof and limits, read from the files and made to agree."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genbab.check.clauses import add_rows
from genbab.check.container import AnyArray, Hint, Proof, SlopeHint, indices, read_proof
from genbab.check.executed.joins import JoinCharge, worth
from genbab.check.executed.operators import Charger
from genbab.check.executed.single import around
from genbab.check.executed.table import is_table
from genbab.check.failures import Rejected, Unfinished, Unusable
from genbab.check.intervals import Array, Indices
from genbab.check.model.joins import joined, rebuilt
from genbab.check.model.program import AffineStep, ElementwiseStep, Program, Wire
from genbab.check.model.reading import read, unpacked
from genbab.check.model.whole import Whole
from genbab.check.model.written import WHOLE, ReadParts
from genbab.check.passes.backward import Chosen
from genbab.check.spec import Coefficients, Disjunct, Specification, read_specification

ALIKE = 1 - 1e-9  # the cosine of rows of one direction


@dataclass(frozen=True)
class Limits:
    """How far the check goes by itself, and what it may use."""

    extra_splits: int = 12
    seconds: float = 3600.0
    memory: int = 1 << 30  # bytes of one file


class Clock:
    """Until when the check may go on."""

    def __init__(self, seconds: float) -> None:
        self.start = time.monotonic()
        self._end = self.start + seconds

    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.start

    def look(self) -> None:
        """Ends the check when the time is up."""
        if time.monotonic() > self._end:
            raise Unfinished("the time is up: neither accepted nor rejected (--limit-seconds)")


@dataclass(frozen=True)
class Case:
    """Everything about one question, read and compared."""

    program: Program
    rows: int  # the step of the rows of the specification
    specification: Specification
    proof: Proof
    limits: Limits
    clock: Clock

    def step(self, name: str) -> int:
        """The step of a tensor that a proof names."""
        tensor = self.program.tensors.get(name)
        if not isinstance(tensor, Wire):
            raise Rejected(f"the proof names the tensor {name!r}, which does not vary or is not there")
        return tensor.step

    def chosen(self, hints: Sequence[Hint], rows: Sequence[Indices]) -> dict[int, Chosen]:
        """The slopes by step that hints, one for each box, all have; `rows`: which row of its each takes."""
        found: dict[int, Chosen] = {}
        different = list({id(hint): hint for hint in hints}.values())
        place = {id(hint): n for n, hint in enumerate(different)}
        for out in sorted(set.intersection(*({s.out for s in hint.slopes} for hint in different))):
            number = self.step(out)
            step = self.program.steps[number]
            known = [next(s for s in hint.slopes if s.out == out) for hint in different]
            if step is None or isinstance(step, AffineStep):
                continue
            arrays = len(step.sources) if isinstance(step, ElementwiseStep) else 1  # the points of a softmax
            if any(len(s.slopes) != arrays for s in known):
                continue
            if len({s.upper is None for s in known}) > 1:
                continue
            parts = [self._slopes_of(hint, s, step.size) for hint, s in zip(different, known, strict=True)]
            start = np.cumsum([0, *(len(part[0]) for part in parts)])
            index = [_row(row, start, place[id(hint)], out) for hint, row in zip(hints, rows, strict=True)]
            whole = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
            sides = None if known[0].upper is None else whole.pop() != 0
            found[number] = Chosen(whole, sides, np.stack(index))
        return found

    def _slopes_of(self, hint: Hint, slope: SlopeHint, size: int) -> list[Array]:
        """Slopes for each argument, then the sides if there are such, of the same number of rows."""
        names = [*slope.slopes, *([] if slope.upper is None else [slope.upper])]
        arrays = []
        for name in names:
            array = _part(hint, self.proof.array(name))
            if array.ndim != 2 or array.shape[1] != size or not array.shape[0]:
                raise Unusable(f"{name} of the proof has shape {array.shape} where (rows, {size}) is due")
            numbers = array.astype(np.float64)
            arrays.append(np.where(np.isfinite(numbers), numbers, 0.0))
        most = max(map(len, arrays))
        if {len(array) for array in arrays} - {1, most}:
            raise Unusable(f"slopes of {slope.out!r} of different numbers of rows")
        return [np.broadcast_to(array, (most, size)) for array in arrays]

    def entries(self, hint: Hint, step: int) -> Indices:
        """The entries of a tensor that a hint bounds."""
        if hint.entries is None:
            return np.arange(self.program.size(step))
        return indices(self.proof.array(hint.entries, "iu"), self.program.size(step), hint.entries)

    def rows_of(self, hint: Hint) -> Indices:
        """For each row of the specification the row of the hint in its direction, 0 where there is none."""
        specified = self.specification.rows
        place = np.zeros(len(specified), dtype=np.int64)
        if hint.rows is None:
            return place
        offered = _part(hint, self.proof.array(hint.rows)).astype(np.float64)
        outputs = sum(int(np.prod(self.program.tensors[n].shape)) for n in self.program.outputs)
        if offered.ndim != 2 or offered.shape[1] != outputs or not len(offered):
            raise Unusable(f"{hint.rows} of the proof has shape {offered.shape}, not (rows, {outputs})")
        for number, row in enumerate(specified):
            place[number] = int(np.argmax(_unit(offered) @ _direction(row, outputs)))
        return place

    def own(self, disjunct: Disjunct, box: int) -> bool:
        """Whether a box of the proof is for disjuncts of these rows."""
        rows = self.proof.about[box].rows.astype(np.float64)
        outputs = sum(int(np.prod(self.program.tensors[n].shape)) for n in self.program.outputs)
        if rows.ndim != 2 or rows.shape[1] != outputs:
            return False
        mine = [_direction(self.specification.rows[i.row], outputs) for i in disjunct.inequalities]
        return all(float((_unit(rows) @ row).max(initial=0.0)) > ALIKE for row in mine)


def _row(row: Indices, start: Indices, place: int, out: str) -> Indices:
    """Where rows of one of several arrays are, after these are put together."""
    height = int(start[place + 1] - start[place])
    if height > 1 and row.max(initial=0) >= height:
        raise Unusable(f"slopes of {out!r} of {height} rows")
    return np.asarray(start[place] + (row if height > 1 else np.zeros_like(row)))


def _direction(row: Coefficients, outputs: int) -> Array:
    """The row's coefficients of outputs, of length 1."""
    direction = np.zeros(outputs)
    for name, value in row.items():
        if name[0] == "Y":
            direction[int(name[2:])] = float(value)
    return np.asarray(_unit(direction[None])[0])


def _part(hint: Hint, array: AnyArray) -> AnyArray:
    """The rows of an array that are a hint's own."""
    if hint.count is None or array.ndim != 2 or len(array) == 1:
        return array
    return array[hint.first : hint.first + hint.count]


def _unit(rows: Array) -> Array:
    with np.errstate(all="ignore"):
        length = np.sqrt((rows * rows).sum(-1, keepdims=True))
        return np.asarray(np.nan_to_num(rows / np.maximum(length, 1e-300)))


def load(model: Path, specification: Path, proof: Path, limits: Limits, reading: ReadParts = WHOLE) -> Case:
    """The question of three files; `reading` says what of the model is read."""
    clock = Clock(limits.seconds)
    read_ = read_proof(proof, limits.memory)
    texts = [_bytes(path, limits.memory) for path in (model, specification)]
    for name, data in zip(("model", "specification"), texts, strict=True):
        said = read_.header.get(name)
        if not isinstance(said, dict) or said.get("sha256") != hashlib.sha256(data).hexdigest():
            raise Rejected(f"the proof is about another {name} (sha256)")
    if read_.header.get("reading", []) != reading.words:
        said = " ".join(map(str, read_.header["reading"])) if read_.header.get("reading") else "without words"
        asked = " ".join(reading.words) or "without words"
        raise Rejected(f"the proof is about the model read {said[:300]}, the check about it {asked}")
    table = read_.elementary
    if not (table is None or is_table(table)):
        raise Unusable(f"the proof names an unknown table of elementary functions: {table[:40]!r}")
    program = read(unpacked(texts[0], limits.memory), None if table is None else Charger(table), reading)
    outputs = sum(int(np.prod(program.tensors[name].shape)) for name in program.outputs)
    try:
        text = unpacked(texts[1], limits.memory).decode()
    except UnicodeDecodeError:
        raise Unusable("the specification is no text") from None
    mask = None if program.whole is None else program.whole.mask
    spec = read_specification(text, program.inputs, outputs, mask)
    if program.whole is not None:
        spec = replace(spec, disjuncts=[_whole(disjunct, program.whole) for disjunct in spec.disjuncts])
    joins = joined(program, read_.functions)
    if table is not None:
        joins = worth(program, joins)
        spec = replace(spec, disjuncts=[_executed(disjunct) for disjunct in spec.disjuncts])
        read_.low, read_.high = around((read_.low, read_.high))
    hints = [hint for some in read_.hints.values() for hint in some]
    named: Sequence[str] = [
        *read_.tensors,
        *(name for hint in hints for name in (hint.target, *(s.out for s in hint.slopes)) if name),
    ]
    program = rebuilt(program, joins, named, None if table is None else JoinCharge)
    if read_.low.shape[1] != program.inputs:
        raise Rejected(f"the proof's boxes have {read_.low.shape[1]} inputs, the model {program.inputs}")
    rows = add_rows(program, spec.rows)
    return Case(program, rows, spec, read_, limits, clock)


def _whole(disjunct: Disjunct, whole: Whole) -> Disjunct:
    """The disjunct for points of the model's own types."""
    low, high = whole.cut(disjunct.low, disjunct.high)
    if not whole.holds(disjunct.low, disjunct.high):
        raise Unusable("inputs of integers beyond 2^24, which casts may round")
    return replace(disjunct, low=low, high=high)


def _executed(disjunct: Disjunct) -> Disjunct:
    """The disjunct for inputs of float32: a program may read either neighbour of each bound."""
    low, high = around((disjunct.low, disjunct.high))
    return replace(disjunct, low=low, high=high)


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise Unusable(f"{path.name} has more than {limit} bytes (--memory)")
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read: {error.strerror}") from None
