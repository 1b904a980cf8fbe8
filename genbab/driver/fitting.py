"""A model and what is asked of it, made to fit each other: sizes, hidden tensors, inputs of integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genbab.bounds.methods import boxes
from genbab.config import Config
from genbab.errors import SpecError, UsageError
from genbab.network import Network
from genbab.reader import (
    ALL,
    Execution,
    Model,
    Wanted,
    as_executed,
    check_declared,
    element_types,
    input_limits,
    load_onnx,
    of_anything,
    read_within,
    shown,
)
from genbab.specs import Run, Spec, of_whole_outputs, on_whole_numbers, read_vnnlib, whole_type
from genbab.system.deadline import Deadline
from genbab.system.device import usual_torch

if TYPE_CHECKING:
    from genbab.reader.modules.sources import AnyModel

LARGEST = 2.0**52
"""Integers up to here, and those and a half, are numbers of float64."""

Ends = tuple[np.ndarray, np.ndarray]
"""Least and largest values (D,), (D,)."""


def load_within(
    deadline: Deadline,
    model: AnyModel,
    example: Any = None,
    config: Config | None = None,
    wanted: Wanted = ALL,
) -> Model:
    """As `genbab.load`, for the arithmetic of the settings (None: real numbers).

    Raises `DeadlineReached` when the time is up before the model is read.
    """
    config = Config.of(config)
    real = config.arithmetic == "real"
    execution = None if real else Execution(config.arithmetic, config.elementary)
    if isinstance(model, str | Path | bytes):
        with usual_torch():
            return load_onnx(model, ask=deadline.check, execution=execution, wanted=wanted)
    return as_executed(of_anything(model, example, deadline.check, wanted), execution, deadline.check)


def fitted(model: Model, spec: str | Path | Spec, deadline: Deadline) -> tuple[Model, Spec]:
    """The model as the specification speaks of it, and the specification, of points that the model can take.

    Raises `SpecError` where they do not fit, or nothing is asked about; `DeadlineReached`.
    """
    if not isinstance(spec, str | Path | Spec):
        raise UsageError(f"a specification is a path or a genbab.Spec, not {type(spec).__name__}")
    sizes = (model.network.input_size, model.network.output_size)
    if model.ones:
        _refuse_other_sizes(model, spec)
    parsed = spec if isinstance(spec, Spec) else read_vnnlib(spec, *sizes)
    check_declared(model, parsed.declared)
    model = shown(model, parsed.hidden, deadline.check)
    if not parsed.vacuous:
        model, parsed = on_integers(model, parsed, deadline.check)
    if parsed.vacuous:
        notes = "".join(f" ({note})" for note in parsed.notes)
        raise SpecError(f"the input set is empty: nothing to verify{notes}")
    return model, parsed


def _refuse_other_sizes(model: Model, spec: str | Path | Spec) -> None:
    """Raises `SpecError` for inputs of another size where axes that were taken as 1 may be the reason."""
    parsed, size = spec if isinstance(spec, Spec) else read_vnnlib(spec), model.network.input_size
    asked = len(parsed.runs[0].offset) if parsed.runs else parsed.input_size
    if asked != size:
        name = "the specification" if isinstance(spec, Spec) else str(spec)
        told = f"{name} speaks of {asked} inputs, the model has {size}"
        raise SpecError(told + model.taken_as_one)


def on_boxes(
    model: Model | Network, lower: Any, upper: Any, device: torch.device
) -> tuple[Network, tuple[Tensor, Tensor]]:
    """The network for boxes as people give them, and these (B, D), (B, D), cut to what its inputs can be.

    Raises `UsageError` for what are no such boxes.
    """
    network = model if isinstance(model, Network) else model.network
    box, whole = network.entry.cut(*boxes(network, lower, upper, device)), network.entry.whole
    if bool((box[0] > box[1]).any()):
        raise UsageError("a box holds no integer at an input of integers")
    low, high = box[0].amin(0).cpu(), box[1].amax(0).cpu()
    if isinstance(model, Model) and whole is not None:
        reach, limits = (low.numpy(), high.numpy()), _within_large(input_limits(model))
        if ((reach[0] < limits[0]) | (reach[1] > limits[1])).any():
            raise UsageError(
                f"a box holds integers at input {_first(reach, limits)} that its type does not have, or "
                "integers beyond 2^52"
            )
        network = read_within(model, low, high).network
    elif whole is not None and not whole.hold(low, high):
        raise UsageError("this network was read for other integers than a box holds: give the model instead")
    return network, box


def _within_large(limits: Ends) -> Ends:
    """Limits of integers, at most 2^52 in size; none stay none."""
    low, high = (np.where(np.isfinite(end), end.clip(-LARGEST, LARGEST), end) for end in limits)
    return low, high


def on_integers(model: Model, spec: Spec, ask: Callable[[], None] = lambda: None) -> tuple[Model, Spec]:
    """(the model for the integers of the question, the question about points of the model's own types).

    Bounds of integers become the outermost ones that lie between them and in the input's type; the question
    is vacuous where no box holds a point. Rows of integer outputs get right-hand sides that these can have.
    Raises `SpecError` for runs that would put other numbers into an input of integers, and for integers
    beyond 2^52; errors of `read_within`.
    """
    spec = _with_outputs(model, spec)
    if model.network.entry.whole is None:
        return model, spec
    low, high = limits = input_limits(model)
    runs = spec.runs
    if any(len(run.offset) != len(low) for run in runs) or (not runs and spec.input_size != len(low)):
        return model, spec  # the sizes are complained about where the network is made to fit
    if runs:
        spec = on_whole_numbers(spec, *_variables(runs, limits, spec.input_size))
    else:
        spec = on_whole_numbers(spec, np.isfinite(low), low, high)
    if spec.vacuous:
        return model, spec
    lower, upper = reach = _reach(spec)
    if runs and ((lower < low) | (upper > high)).any():
        raise SpecError(f"a run gives input {_first(reach, limits)} numbers that its type does not hold")
    large = _within_large(limits)
    if ((lower < large[0]) | (upper > large[1])).any():
        raise SpecError(
            f"input {_first(reach, large)} may be an integer beyond 2^52, which genbab does not compute with"
        )
    return read_within(model, torch.from_numpy(lower), torch.from_numpy(upper), ask), spec


def _with_outputs(model: Model, spec: Spec) -> Spec:
    """The question about outputs of the model's own types, as far as the spec speaks of these alone."""
    kinds = element_types(model)[len(model.input_names) :]
    sizes = [int(np.prod(shape)) for shape in model.output_shapes]
    whole = np.repeat([whole_type(kind) for kind in kinds], sizes)
    count = max(1, len(spec.runs))
    if not whole.any() or spec.vacuous or spec.output_size != count * len(whole):
        return spec
    return of_whole_outputs(spec, np.tile(whole, count))


def _first(reach: Ends, limits: Ends) -> int:
    return int(np.flatnonzero((reach[0] < limits[0]) | (reach[1] > limits[1]))[0])


def _reach(spec: Spec) -> Ends:
    """Between which numbers the model's inputs lie in all boxes and runs."""
    lower, upper = spec.lower.min(0), spec.upper.max(0)
    if not spec.runs:
        return lower, upper
    ends = []
    for run in spec.runs:
        low, high = run.offset.copy(), run.offset.copy()
        first, second = run.value * lower[run.column], run.value * upper[run.column]
        np.add.at(low, run.row, np.minimum(first, second))
        np.add.at(high, run.row, np.maximum(first, second))
        ends.append((low, high))
    return np.min([low for low, _ in ends], 0), np.max([high for _, high in ends], 0)


def _variables(runs: Sequence[Run], limits: Ends, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(which of the variables are integers, their least and largest values), (D,) each.

    Those that some run puts into an input of integers, with an integer added or the sign changed at most.
    Raises `SpecError` where another number may be put there: x + 1/2, or 2 x where x need be no integer.
    """
    whole, low, high = np.zeros(size, bool), np.full(size, -np.inf), np.full(size, np.inf)
    mine = np.isfinite(limits[0])
    for run in runs:
        entries = mine[run.row]
        numbers = np.concatenate([run.offset[mine], run.value[entries]])
        if (numbers != np.rint(numbers)).any():
            raise SpecError(
                "a run puts multiples of variables or sums that are no integers into an input of integers"
            )
        alone = entries & (np.bincount(run.row, minlength=len(run.offset))[run.row] == 1)
        whole[run.column[alone & (np.abs(run.value) == 1.0)]] = True
        alone &= run.value == 1.0
        rows, columns = run.row[alone], run.column[alone]
        np.maximum.at(low, columns, limits[0][rows] - run.offset[rows])
        np.minimum.at(high, columns, limits[1][rows] - run.offset[rows])
    if any(not whole[run.column[mine[run.row]]].all() for run in runs):
        raise SpecError(
            "a run puts a multiple or a sum of variables into an input of integers, which may be an integer "
            "where they are none; a run that takes such a variable as it is makes it one"
        )
    return whole, low, high
