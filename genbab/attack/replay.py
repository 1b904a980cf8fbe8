"""Replay of inputs in onnxruntime: the judge of every counterexample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genbab.attack.targets import Floats, representable
from genbab.network import Network, noise
from genbab.reader import Model, as_written
from genbab.reader.runtime import Session, divided, first_line, session
from genbab.result import Counterexample
from genbab.specs import Spec

RELATIVE = 1e-3
"""What an output may differ by, relative to itself, without a look at what float32 costs it."""

ABSOLUTE = 1e-9

NOISE = 20.0
"""How many times what float32 moves an output by in trials."""


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

    def confirm(self, spec: Spec, x: npt.NDArray[Any]) -> Counterexample | None:
        """The counterexample at x (D,) rounded to float32 numbers INSIDE its box, or None.

        It is one only if the plain session gives finite outputs that meet some clause of the spec exactly,
        and the default one does too, unless it cannot run the model or is off by more than rounding. None
        for a model that onnxruntime cannot run, and where runs would have to round to integers.
        """
        floats = all(kind in (np.float32, np.float64) for kind in self._types)
        possible = self._model.replayable and (floats or not spec.runs)
        inside = self.rounded(spec, x) if possible else None
        if inside is None:
            return None
        whole, _ = self.answer(spec, inside)
        clause = None if whole is None else _met(spec, inside, whole[: spec.output_size])
        if whole is None or clause is None or not self._seconded(spec, inside, whole):
            return None
        y = whole[: spec.output_size]
        return Counterexample(x=inside.astype(np.float32), y=y, clause=clause)

    def answer(self, spec: Spec, x: npt.NDArray[Any], optimised: bool = False) -> tuple[Floats | None, str]:
        """The outputs of all runs at x in one of the sessions, or None and why there are none."""
        try:
            return self._runs(self._default if optimised else self._plain, spec, x), ""
        except Exception as error:  # noqa: BLE001 - onnxruntime has a class of its own for every failure
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
        """What float32 costs every output at x, in the model as written and as it is understood."""
        at = [run.at(np.asarray(x, np.float64)) for run in spec.runs] or [np.asarray(x, np.float64)]
        most = np.zeros(self._model.network.output_size * len(at))
        for network in (self._written, self._model.network):
            if network.output_size * len(at) == len(most):
                found = np.concatenate([noise(network, torch.from_numpy(one)).numpy() for one in at])
                most = np.maximum(most, found)
        return most

    def _seconded(self, spec: Spec, x: Floats, y: Floats) -> bool:
        """Whether the default session says nothing against a counterexample of the plain one but rounding."""
        other, _ = self.answer(spec, x, optimised=True)
        return other is None or _met(spec, x, other) is not None or self.apart(spec, x, y, other) is not None

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

    @cached_property
    def _written(self) -> Network:
        return as_written(self._model)


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
