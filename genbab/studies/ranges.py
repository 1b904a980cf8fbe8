"""`output_range`: the values that outputs take on a box, enclosed from both sides."""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from genbab.api import load
from genbab.config import Config
from genbab.errors import UsageError
from genbab.reader import Model
from genbab.result import plain
from genbab.studies.data import Floats
from genbab.studies.options import RangeOptions, Work, taking
from genbab.studies.records.provenance import model_hash, text_hash
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.results import SCHEMA, Row, aligned
from genbab.studies.work.engine import chosen_settings
from genbab.studies.work.jobs import Job, packed


@dataclass(frozen=True, eq=False)
class Output:
    """One output on the box: lower <= least_seen and greatest_seen <= upper.

    lower, upper: certified over the reals; least_seen, greatest_seen: attained in onnxruntime at the inputs
    least_at, greatest_at (D,).
    """

    index: int
    lower: float
    least_seen: float
    greatest_seen: float
    upper: float
    seconds: float
    reason: str
    least_at: NDArray[np.float64]
    greatest_at: NDArray[np.float64]

    def row(self) -> Row:
        """The numbers, without the inputs."""
        names = ("index", "lower", "least_seen", "greatest_seen", "upper", "seconds", "reason")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class OutputRange:
    """The ranges of the outputs asked about."""

    outputs: tuple[Output, ...]

    def rows(self) -> list[Row]:
        """One flat dictionary per output."""
        return [one.row() for one in self.outputs]

    def to_json(self, indent: int | None = 2) -> str:
        """Strict JSON, schema 1."""
        found = [{**o.row(), "least_at": o.least_at, "greatest_at": o.greatest_at} for o in self.outputs]
        return json.dumps(plain({"schema": SCHEMA, "outputs": found}), indent=indent, allow_nan=False)

    def __str__(self) -> str:
        """A table with one line per output."""
        names = ("lower", "least_seen", "greatest_seen", "upper")
        lines: list[tuple[str, ...]] = [("output", "lower", "least seen", "greatest seen", "upper")]
        lines += [(str(o.index), *(f"{getattr(o, n):.6g}" for n in names)) for o in self.outputs]
        return aligned(lines)


@taking(RangeOptions)
def output_range(
    model: Any,
    lower: Any,
    upper: Any,
    outputs: Sequence[int] | None = None,
    *,
    tolerance: float = 0.01,
    **options: Unpack[RangeOptions],
) -> OutputRange:
    """Enclosures of the least and greatest value of each output (None: all) on the box lower <= x <= upper.

    lower, upper: D numbers each. An end is bisected by verification until certified and seen values are
    within `tolerance`, relative to the gap before bisecting, or its timeout (seconds per end) is up. options:
    example (as `load` takes it), timeout, config, study, workers, follow, as
    `genbab.studies.options.RangeOptions` says. Raises `UsageError` for what makes no sense, `ModelError`.
    """
    loaded = load(model, options["example"])
    box = np.stack([_end(loaded, name, value) for name, value in (("lower", lower), ("upper", upper))])
    if (box[0] > box[1]).any():
        raise UsageError(f"lower is above upper at input {int(np.argmax(box[0] > box[1]))}")
    if not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        raise UsageError(f"tolerance = {tolerance!r}: must be above 0 and below 1")
    wanted = _wanted(loaded, outputs)
    work = Work.of(options)
    how = float(tolerance), work.config
    answers = work.answers([_job(loaded, box, i, sign, how) for i in wanted for sign in (-1.0, 1.0)])
    pairs = zip(wanted, answers[::2], answers[1::2], strict=True)
    return OutputRange(tuple(_output(i, low, high) for i, low, high in pairs))


def _job(model: Model, box: Floats, output: int, sign: float, how: tuple[float, Config]) -> Job:
    tolerance, config = how
    details = {"output": output, "sign": sign, "tolerance": tolerance}
    spec = f"{'greatest' if sign > 0 else 'least'} value of output {output}"
    hashes = (model_hash(model), text_hash(packed(box)))
    settings = chosen_settings(config)
    question = StudyQuestion("range", model.source, spec, *hashes, config.timeout, settings, details)
    return Job(question, model, box)


def _output(index: int, low: StudyAnswer, high: StudyAnswer) -> Output:
    for answer in (low, high):
        if answer.verdict == "error":
            raise UsageError(f"output {index}: {answer.reason}")
    a, b = low.result, high.result
    values = (-float(a["certified"]), -float(a["attained"]), float(b["attained"]), float(b["certified"]))
    reasons = "; ".join(dict.fromkeys((low.reason, high.reason)))
    places = (np.array(a["at"], np.float64), np.array(b["at"], np.float64))
    return Output(index, *values, low.seconds + high.seconds, reasons, *places)


def _end(model: Model, name: str, value: Any) -> Floats:
    try:
        plain = value.detach().cpu() if isinstance(value, torch.Tensor) else value
        end = np.asarray(plain, np.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: expected numbers ({error})") from error
    if end.size != model.network.input_size:
        raise UsageError(f"{name}: expected {model.network.input_size} numbers, found {end.size}")
    if not np.isfinite(end).all():
        raise UsageError(f"{name}: input {int(np.argmin(np.isfinite(end)))} is not finite")
    return end


def _wanted(model: Model, outputs: Sequence[int] | None) -> list[int]:
    count = model.network.output_size
    if outputs is None:
        return list(range(count))
    try:
        wanted = [operator.index(i) for i in outputs]
    except (TypeError, ValueError) as error:
        raise UsageError(f"outputs = {outputs!r}: must be numbers of outputs") from error
    wrong = [i for i in wanted if not 0 <= i < count]
    if wrong or not wanted:
        raise UsageError(f"outputs = {outputs!r}: must be from 0 to {count - 1}, at least one")
    return wanted
