"""Replay of inputs in onnxruntime: the judge of every counterexample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from genbab.attack.targets import Floats, Places, closest, representable
from genbab.network import Network, noise, whole_variables
from genbab.reader import Model, unsimplified
from genbab.reader.derive.kinks import off_kinks
from genbab.reader.onnx.files import TYPES
from genbab.reader.onnx.runtime import InferenceSession, divided, first_line, session
from genbab.reader.tensors import elements
from genbab.result import Counterexample
from genbab.specs import PartialDerivative, Spec

RELATIVE = 1e-3
"""What an output may differ by, relative to itself, without a look at what rounding costs it."""

ABSOLUTE = 1e-9

NOISE = 20.0
"""How many times what rounding moves an output by in trials."""


SHORT = tuple(kind for code, kind in TYPES.items() if code in elements.SHORT)
"""Types of inputs below float32."""


class Placed(NamedTuple):
    """A point of numbers that the model takes, in a box of the spec or next to it.

    x (D,); box: its number; off (D,): the entries that lie outside, because their interval holds no such
    number; distance: no entry lies farther from its interval as it was given.
    """

    x: Floats
    box: int
    off: npt.NDArray[np.bool_]
    distance: float


Certain = Callable[[Placed, int], bool]
"""Whether some real point of the box violates this clause for certain."""


class Replayer:
    """Runs a model's own ONNX file on single inputs, on the CPU, in one thread.

    Where it was put together from several, these are run, each as it was given.
    Two sessions judge every candidate: one without graph optimisations (the file as written), one with
    onnxruntime's defaults (what most people run). Both are made at first use, a few milliseconds each. Where
    the second rewrites the model to something else, or cannot run it, the first one decides.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._types = [np.dtype(t) for t in model.input_dtypes]
        self._sizes = [int(np.prod(s)) for s in model.input_shapes]

    def replay(self, x: npt.NDArray[Any], spec: Spec | None = None) -> Floats:
        """The flat outputs (O,) at the flat input x (D,), cast to the model's own types, unoptimised.

        Where the spec has runs, x are its variables, and the outputs of all runs come one after the other.
        """
        return self._runs(self._plain, spec, x)

    def confirm(
        self, spec: Spec, x: npt.NDArray[Any], certain: Certain | None = None
    ) -> Counterexample | None:
        """The counterexample at x (D,) rounded to the model's numbers INSIDE its box, or None.

        It is one only if the plain session gives finite outputs that meet some clause of the spec exactly,
        and the default one does too, unless it cannot run the model or is off by more than rounding. None
        for a model that onnxruntime cannot run, and where runs would have to round to short types. With
        `certain`, entries whose interval holds no such number may be the nearest ones outside, where a point
        of the box violates the clause for certain. A clause with derivatives is met off all kinks only.
        """
        short = any(kind in SHORT for kind in self._types)
        possible = self._model.replayable and not (short and spec.runs)
        placed = self.placed(spec, x, certain is not None) if possible else None
        if placed is None:
            return None
        whole, _ = self.answer(spec, placed.x)
        clause = None if whole is None else _met(spec, placed, whole[: spec.output_size])
        if whole is None or clause is None or not self._seconded(spec, placed, whole):
            return None
        if not self._differentiable(spec, placed.x, clause):
            return None
        if placed.off.any() and not (certain is not None and certain(placed, clause)):
            return None
        integers = np.zeros(len(placed.x), bool)
        for here, kind in self.types(spec):
            integers[here] = kind.kind in "iub"
        return Counterexample(placed.x, whole[: spec.output_size], clause, placed.distance, integers)

    def answer(self, spec: Spec, x: npt.NDArray[Any], optimised: bool = False) -> tuple[Floats | None, str]:
        """The outputs of all runs at x in one of the sessions, or None and why there are none."""
        try:
            return self._runs(self._default if optimised else self._plain, spec, x), ""
        except Exception as error:  # onnxruntime has a class of its own for every failure
            return None, first_line(error)

    def apart(self, spec: Spec, x: npt.NDArray[Any], y: Floats, other: Floats) -> int | None:
        """The first output that differs between y and `other`, both at x, by more than rounding explains.

        Each is allowed what it is off by itself; where y is not finite, nothing is said.
        """
        finite = np.isfinite(y)
        with np.errstate(invalid="ignore"):
            off, allowed = np.abs(other - y), RELATIVE * np.abs(y) + ABSOLUTE
            if not bool((off <= allowed)[finite].all()):
                allowed = allowed + NOISE * self._noise(spec, x)[: len(y)]
            wrong = np.flatnonzero(finite & ~(off <= allowed))
        return int(wrong[0]) if len(wrong) else None

    def _noise(self, spec: Spec, x: npt.NDArray[Any]) -> Floats:
        """What rounding costs every output at x, in the model as written and as it is understood."""
        at = [run.at(np.asarray(x, np.float64)) for run in spec.runs] or [np.asarray(x, np.float64)]
        most = np.zeros(self._model.network.output_size * len(at))
        for network in (self._written, self._model.network):
            if network.output_size * len(at) == len(most):
                points, form = map(torch.from_numpy, at), self._model.precision
                found = np.concatenate([noise(network, one, form).numpy() for one in points])
                most = np.maximum(most, found)
        return most

    def _seconded(self, spec: Spec, placed: Placed, y: Floats) -> bool:
        """Whether the default session says nothing against a counterexample of the plain one but rounding."""
        other, _ = self.answer(spec, placed.x, optimised=True)
        if other is None or _met(spec, placed, other[: spec.output_size]) is not None:
            return True
        return self.apart(spec, placed.x, y, other) is not None

    def _differentiable(self, spec: Spec, x: Floats, clause: int) -> bool:
        """Whether x is off all kinks, in every run, if the clause speaks of derivatives."""
        if self._clear is None:
            return True
        size, count = self._model.network.output_size, len(self._model.hidden)
        used = np.flatnonzero(spec.clauses[clause].outputs.any(axis=0))
        if (
            not (used[used < spec.output_size] % size >= size - count).any()
            and (used < spec.output_size).all()
        ):
            return True
        points = [run.at(np.asarray(x, np.float64)) for run in spec.runs] or [x]
        return all(map(self._clear, points))

    @cached_property
    def _clear(self) -> Callable[[Floats], bool] | None:
        """Whether a point is off all kinks; None for a model without derivatives beside its outputs."""
        named = any(PartialDerivative.named(name) for name in self._model.hidden)
        return off_kinks(self._model.network) if named else None

    def rounded(self, spec: Spec, x: npt.NDArray[Any]) -> Floats:
        """x (D,) as numbers of float32, or of shorter types of the model, wherever these lie."""
        made = x.astype(np.float32).astype(np.float64)
        for here, kind in self.types(spec):
            if kind in SHORT:
                made[here] = x[here].astype(kind)
        return made

    def placed(self, spec: Spec, x: npt.NDArray[Any], nearest: bool = False) -> Placed | None:
        """x (D,) moved to the nearest numbers inside its box (the nearest box) that the model takes.

        These are numbers of the types of its inputs, float32 or float64 for variables of runs. `nearest`:
        entries whose interval holds none are the float32 or float64 next to it, but not where the box has
        balls. None where x is not finite or there is no such point.
        """
        point = np.asarray(x, dtype=np.float64).reshape(-1)
        if point.shape != (spec.lower.shape[1],) or not np.isfinite(point).all():
            return None
        box = 0
        if spec.lower.shape[0] > 1:
            box = int(np.maximum(spec.lower - point, point - spec.upper).max(axis=1).argmin())
        low, high = (end[box].copy() for end in spec.inner)
        wanted, floating = point.copy(), np.ones(len(point), bool)
        for here, kind in self.types(spec):
            low[here], high[here] = representable(low[here], high[here], kind)
            with np.errstate(over="ignore"):
                wanted[here] = np.rint(point[here]) if kind.kind in "iub" else point[here].astype(kind)
            floating[here] = kind in (np.float32, np.float64)
        off, distance = np.asarray(low > high), 0.0
        if off.any():
            if not nearest or not floating[off].all() or (spec.balls and spec.balls[box]):
                return None
            ends = spec.lower[box][off], spec.upper[box][off]
            wanted[off] = closest(ends, (low[off], high[off]))
            distance = _distance(wanted[off], *(end[box][off] for end in spec.inner))
        found = np.where(off, wanted, np.clip(wanted, low, high))
        return Placed(found, box, off, distance) if np.isfinite(found).all() else None

    def types(self, spec: Spec) -> list[tuple[Places, np.dtype[Any]]]:
        """Which entries of a point are numbers of which type."""
        if spec.runs:
            double = all(kind == np.float64 for kind in self._types if kind.kind not in "iub")
            whole = whole_variables(self._model.network, spec)
            mine = np.zeros(0, np.int64) if whole is None else whole.columns.cpu().numpy()
            others = np.setdiff1d(np.arange(spec.input_size), mine)
            kinds = np.dtype(np.float64 if double else np.float32), np.dtype(np.int64)
            return list(zip((others, mine), kinds, strict=True))
        edges = np.cumsum([0, *self._sizes]).tolist()
        places: list[Places] = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]
        return list(zip(places, self._types, strict=True))

    def _runs(self, one: InferenceSession, spec: Spec | None, x: npt.NDArray[Any]) -> Floats:
        """The outputs of all runs, the model's input of each rounded to its own types."""
        if spec is None or not spec.runs:
            return self._run(one, x)
        return np.concatenate([self._run(one, run.at(np.asarray(x, np.float64))) for run in spec.runs])

    def _run(self, one: InferenceSession, x: npt.NDArray[Any]) -> Floats:
        model = self._model
        feed = divided(np.asarray(x), model.input_names, model.input_shapes, self._types)
        outputs = one.run(list(model.output_names), feed)
        return np.concatenate([np.asarray(y, dtype=np.float64).reshape(-1) for y in outputs])

    @cached_property
    def _plain(self) -> InferenceSession:
        return _opened(self._model, optimised=False)

    @cached_property
    def _default(self) -> InferenceSession:
        return _opened(self._model, optimised=True)

    @cached_property
    def _written(self) -> Network:
        return unsimplified(self._model)


class _JointSession:
    """Sessions of several models by name, that answer like one whose names are `model/tensor`."""

    def __init__(self, sessions: Mapping[str, InferenceSession]) -> None:
        self._sessions = sessions

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
        """The outputs of these names."""
        found: dict[str, Any] = {}
        for name, one in self._sessions.items():
            start = f"{name}/"
            own = {k.removeprefix(start): v for k, v in feed.items() if k.startswith(start)}
            asked = [n for n in names if n.startswith(start)]
            found |= zip(asked, one.run([n.removeprefix(start) for n in asked], own), strict=True)
        return [found[name] for name in names]


def _opened(model: Model, optimised: bool) -> InferenceSession:
    if not model.given:
        return session(model.proto, optimised)
    return _JointSession({name: session(proto, optimised) for name, proto in model.given.items()})


def _met(spec: Spec, placed: Placed, y: Floats) -> int | None:
    """The clause that finite outputs y meet, if any: one of the placed point's box where it lies outside."""
    y = y[: spec.output_size]
    if not np.isfinite(y).all():
        return None
    if placed.off.any():
        return spec.met(np.arange(len(spec.lower)) == placed.box, placed.x, y)
    return spec.violation(placed.x, y)


def _distance(x: Floats, low: Floats, high: Floats) -> float:
    """The largest distance of x from intervals that hold [low, high], rounded up.

    Where low > high, the interval lies between these.
    """
    first, last = np.minimum(low, high), np.maximum(low, high)
    away = np.where(low > high, np.maximum(abs(x - first), abs(x - last)), np.maximum(low - x, x - high))
    return float(np.nextafter(away.max(), np.inf))
