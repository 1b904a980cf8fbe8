"""Replay of inputs in onnxruntime: the judge of every counterexample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from genbab.attack.targets import Floats, representable
from genbab.reader import Model
from genbab.reader.runtime import Session, divided, session
from genbab.result import Counterexample
from genbab.specs import Spec


class Replayer:
    """Runs a model's own ONNX file on single inputs, on the CPU, in one thread.

    Where it was put together from several, these are run, each as it was given.
    Two sessions judge every candidate: one without graph optimisations (the file as written), one with
    onnxruntime's defaults (what most people run). Both are made at first use, a few milliseconds each.
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

    def confirm(self, spec: Spec, x: npt.NDArray[Any]) -> Counterexample | None:
        """The counterexample at x (D,) rounded to float32 numbers INSIDE its box, or None.

        It is one only if both sessions give finite outputs that meet some clause of the spec exactly. None
        for a model that onnxruntime cannot run, and where runs would have to round to integers.
        """
        floats = all(kind in (np.float32, np.float64) for kind in self._types)
        possible = self._model.replayable and (floats or not spec.runs)
        inside = self.rounded(spec, x) if possible else None
        if inside is None:
            return None
        y = self.replay(inside, spec)[: spec.output_size]
        clause = _met(spec, inside, y)
        if clause is None or _met(spec, inside, self._runs(self._default, spec, inside)) is None:
            return None
        return Counterexample(x=inside.astype(np.float32), y=y, clause=clause)

    def rounded(self, spec: Spec, x: npt.NDArray[Any]) -> Floats | None:
        """x (D,) moved to the nearest float32 numbers inside its box (the nearest box), as float64.

        Inputs of another type get numbers that are also of that type, so that no cast changes them. None
        where x is not finite or the box holds no such number.
        """
        point = np.asarray(x, dtype=np.float64).reshape(-1)
        if point.shape != (spec.lower.shape[1],) or not np.isfinite(point).all():
            return None
        box = 0
        if spec.lower.shape[0] > 1:
            box = int(np.maximum(spec.lower - point, point - spec.upper).max(axis=1).argmin())
        low, high = representable(spec.lower[box], spec.upper[box], np.dtype(np.float32))
        with np.errstate(over="ignore"):
            nearest = point.astype(np.float32).astype(np.float64)
        start = 0
        for size, kind in () if spec.runs else zip(self._sizes, self._types, strict=True):
            here = slice(start, start + size)
            if kind not in (np.float32, np.float64):
                low[here], high[here] = representable(low[here], high[here], kind)
                nearest[here] = np.rint(point[here]) if kind.kind in "iub" else point[here].astype(kind)
            start += size
        inside = np.clip(nearest, low, high)
        exact = bool((low <= high).all()) and bool((inside.astype(np.float32) == inside).all())
        return inside if exact else None

    def _runs(self, one: Session, spec: Spec | None, x: npt.NDArray[Any]) -> Floats:
        """The outputs of all runs, the model's input of each rounded to its own types."""
        if spec is None or not spec.runs:
            return self._run(one, x)
        return np.concatenate([self._run(one, run.at(np.asarray(x, np.float64))) for run in spec.runs])

    def _run(self, one: Session, x: npt.NDArray[Any]) -> Floats:
        model = self._model
        feed = divided(np.asarray(x), model.input_names, model.input_shapes, self._types)
        outputs = one.run(list(model.output_names), feed)
        return np.concatenate([np.asarray(y, dtype=np.float64).reshape(-1) for y in outputs])

    @cached_property
    def _plain(self) -> Session:
        return _opened(self._model, optimised=False)

    @cached_property
    def _default(self) -> Session:
        return _opened(self._model, optimised=True)


class _Together:
    """Sessions of several models by name, that answer like one whose names are `model/tensor`."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
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


def _opened(model: Model, optimised: bool) -> Session:
    if not model.given:
        return session(model.proto, optimised)
    return _Together({name: session(proto, optimised) for name, proto in model.given.items()})


def confirm(model: Model, spec: Spec, x: npt.NDArray[Any]) -> Counterexample | None:
    """`Replayer(model).confirm(spec, x)`, for a single use."""
    return Replayer(model).confirm(spec, x)


def _met(spec: Spec, x: Floats, y: Floats) -> int | None:
    """The clause that finite outputs y meet, if any."""
    return spec.violation(x, y[: spec.output_size]) if bool(np.isfinite(y).all()) else None
