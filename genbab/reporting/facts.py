"""What a report tells of each instance, read from a study's records: whatever is missing is left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbab.errors import UsageError
from genbab.proof import CheckerVerdict
from genbab.reporting.names import visible
from genbab.studies.records.store import Study

Floats = NDArray[np.float64]
SOLVED = ("verified", "falsified")


@dataclass(frozen=True)
class RelaxedLayer:
    """A relaxed node at the root: widths of its arguments; gap: its part of the lost bound, if known."""

    name: str
    function: str
    neurons: int
    mean: float
    widest: float
    gap: float | None


@dataclass(frozen=True, eq=False)
class InstancePoint:
    """A point that is drawn: x (D,), what the network gives there y (O,), the input it began with, the box.

    `counterexample`: whether x refutes the specification (else it is only where the question began).
    """

    x: Floats
    y: Floats | None
    start: Floats | None
    lower: Floats | None
    upper: Floats | None
    counterexample: bool


@dataclass(frozen=True, eq=False)
class StudyInstance:
    """One question of a study with its answer.

    verdict "open": none yet. steps: of a bisection, (radius, verdict, seconds); gap: (clause, bound, value)
    as `genbab.result` has it; history: (seconds, bound); stages: (name, seconds).
    """

    number: int
    record: Mapping[str, Any]
    verdict: str
    seconds: float | None
    bound: float | None
    history: tuple[tuple[float, float], ...]
    layers: tuple[RelaxedLayer, ...]
    gap: tuple[int, float, float] | None
    stages: tuple[tuple[str, float], ...]
    domains: int | None
    steps: tuple[tuple[float, str, float], ...]
    shape: tuple[int, ...]
    point: InstancePoint | None

    @property
    def anchor(self) -> str:
        """Where its page is in the report."""
        return f"i{self.number}"

    @property
    def kind(self) -> str:
        """The kind of question: robustness, radius, range or instance."""
        return str(self.record["kind"])

    @property
    def model(self) -> str:
        """The model's name, its invisible characters shown."""
        return visible(str(self.record["model"]))

    @property
    def spec(self) -> str:
        """The specification's name, its invisible characters shown."""
        return visible(str(self.record["spec"]))

    @property
    def reason(self) -> str:
        """Why the verdict is what it is, in words."""
        return visible(str(self.record["reason"] or ""))

    @property
    def details(self) -> Mapping[str, Any]:
        """What belongs to this kind of question, by name."""
        return self.record["details"] or {}

    @property
    def result(self) -> Mapping[str, Any]:
        """What else came out, by name."""
        return self.record["result"] or {}

    @property
    def check(self) -> CheckerVerdict | None:
        """What the checker said of its proof, if it was asked."""
        return CheckerVerdict.of_record(self.record)

    @property
    def proof(self) -> str:
        """Its proof in words: what the checker said of it, else where it is or why there is none; or ""."""
        written = _mapping(self.result.get("statistics")).get("proof")
        return visible(str(self.check or written or ""))

    @property
    def solved(self) -> bool:
        """Whether the question was decided by the verifier."""
        return self.verdict in SOLVED

    def value(self, name: str) -> float | None:
        """A number of the result."""
        return real(self.result.get(name))


def instances(study: Study) -> list[StudyInstance]:
    """All of a study, in the order in which it was asked."""
    return [_instance(study, number, record) for number, record in enumerate(study.records(), 1)]


def real(value: Any) -> float | None:
    """The number that JSON holds, "inf" and "-inf" included; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return None if math.isnan(found) else found


def finite(value: Any) -> float | None:
    """As `real`, and finite."""
    found = real(value)
    return found if found is not None and math.isfinite(found) else None


def _instance(study: Study, number: int, record: Mapping[str, Any]) -> StudyInstance:
    result = _mapping(record["result"])
    facts = _mapping(result.get("statistics"))
    stages = [(k.removeprefix("seconds "), finite(v)) for k, v in facts.items() if k.startswith("seconds ")]
    domains = finite(facts.get("domains"))
    return StudyInstance(
        number,
        record,
        record["verdict"] or "open",
        real(record["seconds"]),
        real(record["bound"]),
        tuple(_history(facts.get("history"))),
        tuple(_layers(facts.get("layers"))),
        _gap(_mapping(facts.get("gap"))),
        tuple((name, seconds) for name, seconds in stages if seconds),
        None if domains is None else int(domains),
        tuple(_steps(result.get("steps"))),
        _shape(result, facts),
        _found(study, record, result, facts),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: Any, length: int) -> Iterable[list[Any]]:
    rows = value if isinstance(value, list) else []
    return (row for row in rows if isinstance(row, list) and len(row) >= length)


def _history(value: Any) -> Iterable[tuple[float, float]]:
    for row in _rows(value, 2):
        t, bound = finite(row[0]), finite(row[1])
        if t is not None and bound is not None:
            yield t, bound


def _steps(value: Any) -> Iterable[tuple[float, str, float]]:
    for row in _rows(value, 3):
        radius, seconds = finite(row[0]), finite(row[2])
        if radius is not None and seconds is not None:
            yield radius, str(row[1]), seconds


def _layers(value: Any) -> Iterable[RelaxedLayer]:
    for layer in value if isinstance(value, list) else ():
        facts = _mapping(layer)
        mean, widest, neurons = (real(facts.get(name)) for name in ("mean", "widest", "neurons"))
        if mean is not None and widest is not None and neurons is not None:
            name = str(facts.get("name") or f"node {facts.get('node')}")
            yield RelaxedLayer(
                name, str(facts.get("function")), int(neurons), mean, widest, finite(facts.get("gap"))
            )


def _gap(facts: Mapping[str, Any]) -> tuple[int, float, float] | None:
    clause, bound, value = (finite(facts.get(name)) for name in ("clause", "bound", "value"))
    return None if clause is None or bound is None or value is None else (int(clause), bound, value)


def _shape(result: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[int, ...]:
    inputs = facts.get("inputs")
    told = result.get("shape")
    if told is None and isinstance(inputs, list) and len(inputs) == 1:
        told = _mapping(inputs[0]).get("shape")
    sizes = told if isinstance(told, list) else []
    return tuple(sizes) if all(isinstance(n, int) and n > 0 for n in sizes) else ()


def _found(
    study: Study, record: Mapping[str, Any], result: Mapping[str, Any], facts: Mapping[str, Any]
) -> InstancePoint | None:
    """The counterexample with what it began with; of a misclassified sample the sample."""
    known, box = _mapping(result.get("counterexample")), _mapping(facts.get("box"))
    x = _numbers(known.get("x"))
    start = _kept(study, record)
    if x is None:
        return None if start is None else InstancePoint(start, None, None, None, None, False)
    lower, upper = (_numbers(box.get(end), x.size) for end in ("lower", "upper"))
    if start is not None and start.size != x.size:
        start = None
    return InstancePoint(x, _numbers(known.get("y")), start, lower, upper, True)


def _kept(study: Study, record: Mapping[str, Any]) -> Floats | None:
    """The sample that a question is about, where the study has kept its numbers."""
    wanted = ("misclassified", "falsified", "unknown", "timeout")
    if record["kind"] not in ("robustness", "radius") or record["verdict"] not in wanted:
        return None
    try:
        data = study.blob(record["spec_hash"])
    except UsageError:
        return None
    return np.frombuffer(data, "<f8").astype(np.float64) if len(data) % 8 == 0 and data else None


def _numbers(value: Any, size: int | None = None) -> Floats | None:
    """A flat array of finite numbers of this size, or None."""
    try:
        array = np.asarray(value if isinstance(value, list) else [], np.float64)
    except (TypeError, ValueError):
        return None
    fits = array.ndim == 1 and array.size > 0 and array.size == (size or array.size)
    return array if fits and bool(np.isfinite(array).all()) else None
