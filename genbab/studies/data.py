"""Samples and labels from arrays, tensors, datasets and loaders, checked against the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from genbab.errors import UsageError
from genbab.reader import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs (N, ...), float64, and their labels (N,); kind: the dtype that the inputs were given in."""

    x: Floats
    y: Ints
    kind: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))

    def check_kind(self, whole: bool) -> None:
        """Raise `UsageError` for integers, unless the model has inputs of integers."""
        if self.kind.kind != "f" and not whole:
            raise UsageError(f"x holds {self.kind}: give floating-point numbers (for bytes, x / 255)")

    def __len__(self) -> int:
        return len(self.x)


def samples(x: Any, y: Any = None, count: int | None = None) -> Samples:
    """The first `count` samples (None: all).

    x and y are arrays, tensors or lists; or x is a pair of them, a torch Dataset of pairs, or a DataLoader of
    batches of pairs, and y is None. Raises `UsageError` for numbers that make no sense.
    """
    if count is not None and (isinstance(count, bool) or not isinstance(count, Integral) or count < 1):
        raise UsageError(f"samples = {count!r}: must be a whole number from 1, or None")
    count = None if count is None else int(count)
    if y is None:
        x, y = _pairs(x, count)
    inputs, labels = _array("x", x), _array("y", y)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        hint = "; for one-hot labels give y.argmax(1)" if labels.ndim == 2 else ""
        raise UsageError(
            f"y must be a list of whole numbers, found {labels.dtype} of shape {labels.shape}{hint}"
        )
    if inputs.ndim < 2 or len(inputs) != len(labels):
        raise UsageError(
            f"x has the shape {inputs.shape} and y {labels.shape}: their first axes must be the samples"
        )
    kind, inputs, labels = inputs.dtype, inputs[:count].astype(np.float64), labels[:count].astype(np.int64)
    if not len(inputs):
        raise UsageError("x has no samples")
    bad = np.flatnonzero(~np.isfinite(inputs.reshape(len(inputs), -1)).all(1))
    if bad.size:
        raise UsageError(f"x is not finite in sample(s) {_some(bad)}")
    return Samples(inputs, labels, kind)


def _pairs(source: Any, count: int | None) -> tuple[Any, Any]:
    """Inputs and labels of a dataset, a loader, or a pair of arrays.

    torch's random numbers stay as they were.
    """
    if isinstance(source, tuple | list) and len(source) == 2 and not isinstance(source[0], tuple):
        return source[0], source[1]
    with torch.random.fork_rng(devices=[]):
        if isinstance(source, DataLoader):
            pairs = (pair for batch in source for pair in _split(batch, source.batch_size is not None))
            got = list(islice(pairs, count))
        elif isinstance(source, Dataset):
            got = [_pair(item) for item in islice(_items(source), count)]
        else:
            raise UsageError("y is missing: give labels, a torch Dataset or a DataLoader")
    if not got:
        raise UsageError("the dataset has no samples")
    shapes = {np.shape(x) for x, _ in got}
    if len(shapes) > 1:
        raise UsageError(f"the samples of the dataset have different shapes: {sorted(shapes)}")
    labels = [_label(i, y) for i, (_, y) in enumerate(got)]
    return np.stack([_array("x", x) for x, _ in got]), np.stack(labels)


def _items(source: Any) -> Iterator[Any]:
    return (source[i] for i in range(len(source))) if hasattr(source, "__len__") else iter(source)


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, Sequence) or len(item) != 2:
        raise UsageError("a dataset must give pairs: an input and its label")
    return item[0], item[1]


def _split(batch: Any, batched: bool) -> Iterator[tuple[Any, Any]]:
    """The pairs of a loader's batch.

    A loader without a batch size may give single pairs, or batches of its own.
    """
    inputs, labels = _pair(batch)
    if not batched and np.ndim(labels) == 0:
        return iter([(inputs, labels)])
    if np.ndim(labels) == 0 or len(inputs) != len(labels):
        raise UsageError("a loader must give batches of pairs: as many labels as inputs")
    return zip(inputs, labels, strict=True)


def _label(index: int, value: Any) -> NDArray[Any]:
    label = _array(f"the label of sample {index}", value)
    if label.size != 1:
        hint = "; for one-hot labels let the dataset give y.argmax()" if label.ndim == 1 else ""
        raise UsageError(f"the label of sample {index} has the shape {label.shape}{hint}")
    return label.reshape(())


def _array(name: str, value: Any) -> NDArray[Any]:
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().resolve_neg()
            value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: expected an array of numbers ({error})") from error
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{name}: expected an array of real numbers, found {array.dtype}")
    return array


def fitted(data: Samples, model: Model, valid: tuple[float, float] | None) -> Floats:
    """The inputs as (N, D) for the model; raises `UsageError` for what does not fit it or the valid range."""
    data.check_kind(model.network.entry.whole is not None)
    shape, size = model.input_shapes, model.network.input_size
    found = data.x.shape[1:]
    own = _bare(shape[0]) if len(shape) == 1 else (size,)
    same = data.x[0].size == size
    if not same or (len(own) > 1 and _bare(found) != own and found != (size,)):
        axes = "; move the axes" if same else model.taken_as_one
        raise UsageError(
            f"a sample of x has the shape {found}, the model takes {own or (1,)} or {size} numbers{axes}"
        )
    classes = model.network.output_size
    if classes < 2:
        raise UsageError("the model has one output: there are no classes to tell apart (see output_range)")
    wrong = np.flatnonzero((data.y < 0) | (data.y >= classes))
    if wrong.size:
        raise UsageError(
            f"label {data.y[wrong[0]]} of sample {wrong[0]}: the model's {classes} outputs have labels "
            f"0 to {classes - 1}"
        )
    flat = data.x.reshape(len(data), -1)
    outside = () if valid is None else np.flatnonzero(((flat < valid[0]) | (flat > valid[1])).any(1))
    if len(outside):
        raise UsageError(
            f"sample(s) {_some(np.asarray(outside))} leave the valid range {valid}: x has numbers from "
            f"{flat.min():g} to {flat.max():g}; give bounds=(lowest, highest), bounds=None for no range, and "
            "for a model that wants normalised inputs give raw x with preprocessing="
        )
    return flat


def valid_range(bounds: Any) -> tuple[float, float] | None:
    """The valid range of the inputs, or None; raises `UsageError` unless it is two numbers in order."""
    if bounds is None:
        return None
    try:
        low, high = (float(v) for v in bounds)
    except (TypeError, ValueError) as error:
        raise UsageError(f"bounds = {bounds!r}: must be (lowest, highest), or None") from error
    if not low < high or not np.isfinite([low, high]).all():
        raise UsageError(f"bounds = {bounds!r}: the lowest must be below the highest, both finite")
    return low, high


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without leading ones."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _some(numbers: Ints) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return shown + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
