"""Neural activation patterns: which neurons are on or off, or in which interval, for inputs of a class.

A pattern is mined from data and then taken for granted: "every input of the region that follows the pattern
of class 3 is classified 3" can hold in regions where the plain statement does not (Geng et al., "Towards
Reliable Neural Specifications", ICML 2023, arXiv 2210.16114). docs/nap.md says what was measured.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genbab.errors import UsageError
from genbab.network import evaluate
from genbab.reader import Activated, Model, activated, load_onnx, showing
from genbab.specs import Spec, Statement, Terms, all_of, robustness, with_premises
from genbab.specs.words.regions import Clip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SCHEMA = 1
"""Of the JSON form."""

SWITCHES = ("relu",)
"""Functions whose neurons are on or off: above or below 0."""

BATCH = 4096
"""Samples that are evaluated together."""


@dataclass(frozen=True, eq=False)
class Layer:
    """lower <= tensor `name` <= upper, both (n,), infinite where nothing is said."""

    name: str
    lower: Floats
    upper: Floats

    def holds(self, values: Floats) -> Bools:
        """Which of the values (B, n) lie inside; (B,)."""
        return np.asarray(((self.lower <= values) & (values <= self.upper)).all(-1))

    @property
    def constrained(self) -> int:
        """How many neurons something is said of."""
        return int((np.isfinite(self.lower) | np.isfinite(self.upper)).sum())


@dataclass(frozen=True, eq=False)
class Pattern:
    """What inputs of class `label` have in common inside the network, layer by layer.

    Mined from `samples` inputs of the class with the relaxation `delta`.
    """

    label: int
    delta: float
    samples: int
    layers: tuple[Layer, ...]

    @property
    def constrained(self) -> int:
        """How many neurons something is said of."""
        return sum(layer.constrained for layer in self.layers)

    def follows(self, model: Model, x: ArrayLike) -> Bools:
        """Which of the inputs x (B, ...) follow the pattern; (B,). In float64, as the network was read."""
        _, hidden = hidden_values(model, [layer.name for layer in self.layers], x)
        parts = [layer.holds(value) for layer, value in zip(self.layers, _sized(self, hidden), strict=True)]
        return np.asarray(np.logical_and.reduce([np.ones(len(_rows(x)), bool), *parts]))

    def recall(self, model: Model, x: ArrayLike, y: ArrayLike) -> float:
        """The share of the inputs x (B, ...) with this label in y (B,) that follow the pattern.

        NaN where no input has the label.
        """
        own = _rows(x)[_labels(y, len(_rows(x))) == self.label]
        return float(self.follows(model, own).mean()) if len(own) else math.nan

    def statement(self, outputs: Terms) -> Statement:
        """That the run with these outputs, y = f(x), follows the pattern; for regions or claims."""
        parts = []
        for layer in self.layers:
            z = outputs.hidden(layer.name, len(layer.lower))
            for k in np.flatnonzero(np.isfinite(layer.lower)).tolist():
                parts.append(z[k] >= float(layer.lower[k]))
            for k in np.flatnonzero(np.isfinite(layer.upper)).tolist():
                parts.append(z[k] <= float(layer.upper[k]))
        return all_of(parts)

    def within(self, spec: Spec) -> Spec:
        """The spec, asked only of inputs that follow the pattern; it may come from a file.

        Raises `SpecError` for a spec of several runs, or one that speaks of hidden tensors already.
        """
        return with_premises(spec, [(one.name, one.lower, one.upper) for one in self.layers])

    def robustness(
        self, x: ArrayLike, n_classes: int, epsilon: Any, clip: Clip = None, norm: str | float = "inf"
    ) -> Spec:
        """Every input within epsilon of x that follows the pattern gets its label, of `n_classes`.

        As `genbab.specs.robustness`, which says it of all inputs there.
        """
        return self.within(robustness(x, self.label, n_classes, epsilon, clip, norm))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values; a bound that is not there is None."""
        layers = [
            {"name": one.name, "lower": _plain(one.lower), "upper": _plain(one.upper)} for one in self.layers
        ]
        return {"label": self.label, "delta": self.delta, "samples": self.samples, "layers": layers}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pattern:
        """The pattern that `to_dict` wrote; raises `UsageError` for anything else."""
        try:
            layers = tuple(
                Layer(str(one["name"]), _ends(one["lower"], -math.inf), _ends(one["upper"], math.inf))
                for one in data["layers"]
            )
            pattern = cls(int(data["label"]), float(data["delta"]), int(data["samples"]), layers)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"not a pattern: {type(error).__name__} {error}") from None
        if wrong := [one.name for one in layers if not _fit(one)]:
            raise UsageError(f"not a pattern: lower and upper bounds that do not fit {', '.join(wrong)}")
        return pattern


def mine(
    model: Model | str | os.PathLike[str],
    x: ArrayLike,
    y: ArrayLike,
    delta: float = 0.95,
    layers: Sequence[str] | None = None,
    kind: str = "auto",
) -> dict[int, Pattern]:
    """The pattern of every class in y (B,), from inputs x (B, ...) that the model classifies rightly.

    layers: names of tensors or nodes; by default all that go into an elementwise function. kind: "switch":
    a neuron is on (>= 0) or off (<= 0) where at least the share `delta` of the samples of the class says so,
    otherwise nothing is said of it; "interval": it lies between the quantiles (1 - delta) / 2 and
    (1 + delta) / 2 of the class; "auto": switches before a ReLU, intervals before anything else. Raises
    `UsageError` for data that does not fit, `SpecError` for a layer that is not there.
    """
    model = model if isinstance(model, Model) else load_onnx(model)
    if not 0.5 < delta <= 1:
        raise UsageError(f"delta = {delta}: must be above 0.5 and at most 1")
    if kind not in ("auto", "switch", "interval"):
        raise UsageError(f"kind = {kind!r}: must be auto, switch or interval")
    rows = _rows(x)
    labels = _labels(y, len(rows))
    classes = model.network.output_size
    if wrong := np.flatnonzero((labels < 0) | (labels >= classes)).tolist():
        raise UsageError(
            f"label {labels[wrong[0]]} of sample {wrong[0]}: the model's {classes} outputs have labels "
            f"0 to {classes - 1}"
        )
    known = {one.name: one for one in activated(model)}
    names = list(known) if layers is None else list(layers)
    if not names:
        raise UsageError(f"{model.source}: no tensor goes into an elementwise function; name layers")
    outputs, hidden = hidden_values(model, names, rows)
    right = outputs.argmax(1) == labels
    found = {}
    for label in sorted(set(labels.tolist())):
        own = right & (labels == label)
        if not own.any():
            continue
        mined = tuple(
            _layer(name, value[own], delta, _switched(kind, known.get(name)))
            for name, value in zip(names, hidden, strict=True)
        )
        found[label] = Pattern(label, float(delta), int(own.sum()), mined)
    return found


def hidden_values(model: Model, names: Sequence[str], x: ArrayLike) -> tuple[Floats, list[Floats]]:
    """(outputs (B, O), values (B, n) of each named tensor) at inputs x (B, ...), in float64.

    Raises `UsageError` for samples that do not fit the model, `SpecError` for a tensor that is not there.
    """
    rows = _rows(x)
    size = model.network.input_size
    if rows.shape[1] != size:
        raise UsageError(
            f"a sample has {rows.shape[1]} numbers, the model has {size} inputs{model.taken_as_one}"
        )
    shown = showing(model, names)
    points = torch.from_numpy(rows)
    parts = [evaluate(shown.network, part) for part in torch.split(points, BATCH)]
    whole = torch.cat(parts).numpy() if parts else np.zeros((0, shown.network.output_size))
    sizes = [int(np.prod(shape)) for shape in shown.output_shapes]
    pieces = np.split(whole, np.cumsum(sizes)[:-1], axis=1)
    plain = len(sizes) - len(names)
    return np.concatenate(pieces[:plain], axis=1), pieces[plain:]


def save(patterns: Mapping[int, Pattern], path: str | os.PathLike[str]) -> None:
    """Write patterns as JSON; `load` reads them, numbers exactly. Raises `UsageError` where it cannot."""
    data = {"schema": SCHEMA, "patterns": [patterns[k].to_dict() for k in sorted(patterns)]}
    try:
        Path(path).write_text(json.dumps(data, allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: cannot be written ({error.strerror or error})") from None


def load(path: str | os.PathLike[str]) -> dict[int, Pattern]:
    """The patterns that `save` wrote, by label; raises `UsageError` for anything else."""
    name = os.fspath(path)
    try:
        data = json.loads(Path(path).read_text())
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not JSON ({error})") from None
    known = isinstance(data, dict) and data.get("schema") == SCHEMA
    if not known or not isinstance(data.get("patterns"), list):
        raise UsageError(f"{name}: not a file of patterns of schema {SCHEMA}")
    try:
        found = [Pattern.from_dict(one) for one in data["patterns"]]
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    labels = [pattern.label for pattern in found]
    if twice := sorted({k for k in labels if labels.count(k) > 1}):
        raise UsageError(f"{name}: several patterns of class {', '.join(map(str, twice))}")
    return dict(zip(labels, found, strict=True))


def _switched(kind: str, known: Activated | None) -> bool:
    if kind != "auto":
        return kind == "switch"
    return known is not None and any(name in SWITCHES for name in known.functions)


def _layer(name: str, values: Floats, delta: float, switch: bool) -> Layer:
    """What `delta` of the values (B, n) say of each neuron."""
    if not switch:
        rest = (1 - delta) / 2
        return Layer(name, np.quantile(values, rest, axis=0), np.quantile(values, 1 - rest, axis=0))
    on, off = ((side.mean(0) >= delta) for side in (values > 0, values <= 0))
    return Layer(name, np.where(on, 0.0, -np.inf), np.where(off, 0.0, np.inf))


def _sized(pattern: Pattern, hidden: list[Floats]) -> list[Floats]:
    """The values, which must have the sizes of the pattern's layers."""
    for layer, value in zip(pattern.layers, hidden, strict=True):
        if value.shape[1] != len(layer.lower):
            sizes = f"{value.shape[1]} numbers in this model, {len(layer.lower)} in the pattern"
            raise UsageError(f"'{layer.name}' has {sizes}")
    return hidden


def _rows(x: ArrayLike) -> Floats:
    """Samples as (B, D) float64."""
    array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, np.float64)
    if array.ndim < 2 or not np.isfinite(array).all():
        raise UsageError(f"samples must be finite numbers, one sample per row; the shape is {array.shape}")
    return array.reshape(len(array), -1)


def _labels(y: ArrayLike, count: int) -> NDArray[np.int64]:
    array = np.asarray(y.detach().cpu() if isinstance(y, torch.Tensor) else y)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        found = f"{array.dtype} of the shape {array.shape}"
        raise UsageError(f"labels must be {count} whole numbers, found {found}")
    return array.astype(np.int64)


def _fit(layer: Layer) -> bool:
    """Whether the bounds are numbers, in order, of the same shape (n,)."""
    low, high = layer.lower, layer.upper
    if low.ndim != 1 or low.shape != high.shape:
        return False
    return bool((low <= high).all() and (low < np.inf).all() and (high > -np.inf).all())


def _plain(ends: Floats) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in ends.tolist()]


def _ends(values: Sequence[float | None], missing: float) -> Floats:
    return np.array([missing if v is None else v for v in values], np.float64)
