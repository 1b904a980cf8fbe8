"""What a case's bounds are worth: whether they hold in every style at many points, and how wide they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .machine import Program, run, tensors
from .networks import Case, points
from .styles import GREEDY, STEERED, Allowed, Array, Style, restored, styles, usual

Bounds = tuple[Array, Array]
"""The lower and upper bounds (O,) of all outputs, or what has as many numbers."""

RUNTIME = "onnxruntime"
"""In place of a style: the runtime itself, without its optimisations."""

MOST_STEERED = 2500
"""Entries of tensors up to which a graph is steered."""

NUDGE = 2.0**-10
"""How far entries are moved, relative to the largest, to see what they do."""

SHOWN = 5
"""Violations of a case that are kept."""


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    points and styles; points for greedy orders and for the runtime; outputs that are steered at the middle;
    like: what all styles share.
    """

    points: int = 1000
    styles: int = 26
    greedy: int = 40
    runtime: int = 20
    steered: int = 2
    like: Style = field(default_factory=Style)


@dataclass(frozen=True)
class Found:
    """An output outside its bounds: which run, at which point, and the numbers."""

    style: str | dict[str, Any]
    point: list[float]
    output: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Examined:
    """What became of a case.

    checked: outputs that were compared with bounds; `violations` of them were outside. over_box, at_point:
    for every output the width of its bounds over that of the range that the runs reached, on the box and at
    its middle; the range counts as one unit of the last place at least.
    """

    kind: str
    seed: int
    refused: str = ""
    error: str = ""
    checked: int = 0
    violations: int = 0
    found: tuple[Found, ...] = ()
    over_box: tuple[float, ...] = ()
    at_point: tuple[float, ...] = ()
    seconds: tuple[float, float] = (0.0, 0.0)
    """Of the bounds, and of the runs."""


def examined(case: Case, bounds_of: Callable[[Case], Bounds | str], effort: Effort) -> Examined:
    """The case asked on its box and at its middle, and run."""
    begun = time.perf_counter()
    asked = [bounds_of(case), bounds_of(replace(case, low=case.middle, high=case.middle))]
    bounded = time.perf_counter()
    checks = [_Check(*_flat(answer)) if not isinstance(answer, str) else None for answer in asked]
    for style, x, y in runs(case, effort) if any(checks) else ():
        at_middle = (x == case.middle).reshape(len(x), -1).all(axis=1)
        for check, where in zip(checks, (np.ones(len(x), bool), at_middle), strict=True):
            if check is not None:
                check.take(style, x[where], y[where])
    box, point = checks
    done = [check for check in checks if check is not None]
    return Examined(
        case.kind,
        case.seed,
        refused="; ".join(answer for answer in asked if isinstance(answer, str)),
        checked=sum(check.checked for check in done),
        violations=sum(check.violations for check in done),
        found=tuple(found for check in done for found in check.found),
        over_box=() if box is None or (case.low == case.high).all() else box.ratios(),
        at_point=() if point is None else point.ratios(),
        seconds=(bounded - begun, time.perf_counter() - bounded),
    )


def outside(y: Array, low: Array, high: Array) -> Array:
    """Which outputs (P, O) are outside the bounds (O,); NaN is, unless both bounds are infinite."""
    unbounded = (low == -np.inf) & (high == np.inf)
    wrong: Array = ~((low <= y) & (y <= high) | (np.isnan(y) & unbounded))
    return wrong


def _flat(bounds: Bounds) -> Bounds:
    low, high = (np.asarray(end, dtype=np.float64).reshape(-1) for end in bounds)
    return low, high


def outputs(model: onnx.ModelProto | Program, x: Array, style: Style) -> Array:
    """All outputs (P, O) at points (P, ...)."""
    return np.concatenate([y.reshape(len(x), -1) for y in run(model, {"x": x}, style)], axis=1)


def greedy(seed: int, like: Style) -> list[Style]:
    """Styles that go for large errors in one direction."""
    edges = dict(zip(GREEDY, ("up", "down", "random"), strict=True))
    made = [(order, fma) for order in GREEDY for fma in (False, True)]
    return [
        replace(like, order=order, fma=fma, flush=bool(k % 2), edges=edges[order], seed=seed + k)
        for k, (order, fma) in enumerate(made)
    ]


def steering(program: Program, x: Array, output: int, like: Style) -> dict[str, Array]:
    """For every tensor that depends on the input, the signs of what its entries do to an output at x.

    x (1, ...); each entry is moved a little, one point of a run for each.
    """
    known = tensors(program, {"x": np.concatenate([x, x])}, like)
    names = [step.outputs[0] for step in program.steps]
    moved = {n: known[n][0] for n in names if len(known[n]) == 2 and known[n].dtype == np.float32}
    count = sum(values.size for values in moved.values())
    if count > MOST_STEERED:
        return {}
    nudges, first = {}, 1
    for name, values in moved.items():
        by = np.zeros((count + 1, values.size), np.float32)
        place = np.arange(values.size)
        by[first + place, place] = NUDGE * max(float(np.abs(values).max(initial=0.0)), 1e-30)
        nudges[name] = by.reshape(count + 1, *values.shape)
        first += values.size
    found = tensors(program, {"x": np.repeat(x, count + 1, axis=0)}, like, nudges)
    y = np.concatenate([found[n].reshape(count + 1, -1) for n in program.outputs], axis=1)[:, output]
    ends = np.cumsum([values.size for values in moved.values()])[:-1]
    with np.errstate(invalid="ignore"):
        every = np.split(np.where(y[1:] >= y[0], 1.0, -1.0), ends)
    return dict(zip(moved, every, strict=True))


def steered(program: Program, x: Array, effort: Effort, seed: int) -> Iterator[Style]:
    """Styles that go for large errors of one output at x (1, ...) after the other, both ways."""
    count = tensors(program, {"x": x}, effort.like)
    size = sum(count[name][0].size for name in program.outputs)
    for output in range(min(size, effort.steered)):
        signs = steering(program, x, output, replace(effort.like, beyond=frozenset()))
        for k in range(8):
            goal = {name: values * (-1.0) ** k for name, values in signs.items()}
            yield replace(
                effort.like,
                order=STEERED,
                edges=STEERED,
                signs=goal,
                fma=k % 4 < 2,
                flush=k >= 4,
                variant=k // 2 * 7,
                seed=seed + k,
            )


def runs(case: Case, effort: Effort) -> Iterator[tuple[Style | str, Array, Array]]:
    """Styles with points and outputs there; the first point is the middle."""
    x = points(case, effort.points, case.seed)
    plan = [(style, x) for style in styles(case.seed, effort.styles, effort.like)]
    plan += [(style, x[:1]) for style in styles(case.seed + 1, effort.styles, effort.like)]
    if effort.greedy:
        plan += [(style, x[: effort.greedy]) for style in greedy(case.seed, effort.like)]
    program = Program.of(case.model)
    plan += [(style, x[:1]) for style in steered(program, x[:1], effort, case.seed)]
    for style, some in plan:
        yield style, some, outputs(program, some, style)
    if effort.runtime:
        yield RUNTIME, x[: effort.runtime], by_runtime(case, x[: effort.runtime])


def by_runtime(case: Case, x: Array, optimised: bool = False) -> Array:
    """All outputs (P, O) as onnxruntime computes them."""
    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        case.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    every = [session.run(None, {"x": point}) for point in x]
    return np.stack([np.concatenate([y.reshape(-1) for y in one]) for one in every])


class _Check:
    """Bounds (O,), the runs that were compared with them, and the range of what these gave."""

    def __init__(self, low: Array, high: Array) -> None:
        self.low, self.high = low, high
        self.checked = self.violations = 0
        self.found: list[Found] = []
        self.least, self.most = np.full(low.shape, np.inf), np.full(low.shape, -np.inf)

    def take(self, style: Style | str, x: Array, y: Array) -> None:
        """Compare outputs (P, O) at points (P, ...)."""
        wrong = outside(y, self.low, self.high)
        self.checked, self.violations = self.checked + y.size, self.violations + int(wrong.sum())
        for place, k in np.argwhere(wrong)[: SHOWN - len(self.found)].tolist():
            name = style if isinstance(style, str) else style.plain()
            numbers = float(y[place, k]), float(self.low[k]), float(self.high[k])
            self.found.append(Found(name, x[place].reshape(-1).tolist(), k, *numbers))
        finite = np.isfinite(y)
        self.least = np.minimum(self.least, np.where(finite, y, np.inf).min(axis=0, initial=np.inf))
        self.most = np.maximum(self.most, np.where(finite, y, -np.inf).max(axis=0, initial=-np.inf))

    def ratios(self) -> tuple[float, ...]:
        """Width of the bounds over that of what was reached; infinite where nothing finite was."""
        unit = np.spacing(np.maximum(np.abs(self.least), np.abs(self.most)).astype(np.float32))
        reached = np.where(self.most >= self.least, np.maximum(self.most - self.least, unit), 0.0)
        return tuple(((self.high - self.low) / reached).tolist())


def kept(case: Case, outcome: Examined, folder: Path) -> Path:
    """The folder into which a case was written: the model, the box, the violations."""
    place = folder / f"{case.kind}_{case.seed}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(case.model.SerializeToString())
    said = {
        "kind": case.kind,
        "seed": case.seed,
        "shape": case.low.shape,
        "low": case.low.reshape(-1).tolist(),
        "high": case.high.reshape(-1).tolist(),
        "error": outcome.error,
        "found": [asdict(found) for found in outcome.found],
    }
    (place / "case.json").write_text(json.dumps(said, indent=1))
    return place


def replayed(place: Path, allowed: Allowed = usual) -> tuple[Case, list[tuple[Style | str, Array, Found]]]:
    """The case that `kept` wrote, and its violations: style and point (1, ...), and what was found."""
    said = json.loads((place / "case.json").read_text())

    def array(values: list[float]) -> Array:
        return np.array(values, dtype=np.float32).reshape(said["shape"])

    model = onnx.load(place / "model.onnx")
    case = Case(said["kind"], said["seed"], model, array(said["low"]), array(said["high"]))
    again = []
    for one in said["found"]:
        found = Found(**one)
        style = found.style if isinstance(found.style, str) else restored(found.style, allowed)
        again.append((style, array(found.point)[None], found))
    return case, again
