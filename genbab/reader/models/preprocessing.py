"""Normalisation put in front of a model: its inputs are then what people see, pixels say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, helper, numpy_helper
from torch import Tensor

from genbab.errors import UsageError
from genbab.reader.models.model import Model, load_onnx
from genbab.reader.onnx.graphs import free_name

KEYS = ("mean", "std", "axis")


def normalised(model: Model, preprocessing: Mapping[str, Any]) -> Model:
    """The model of x -> model((x - mean) / std); mean and std are rounded to the type of the model's input.

    preprocessing: "mean" and "std", each one number, one per entry of the input's axis "axis" (as -3 for the
    channels of images (1, 3, 32, 32)), or an array that spreads over the input, as (3, 1, 1) does. Raises
    `UsageError` when they do not fit.
    """
    if not isinstance(preprocessing, Mapping) or not {"mean", "std"} <= set(preprocessing) <= set(KEYS):
        raise UsageError('preprocessing: expected {"mean": ..., "std": ..., "axis": ...}')
    if len(model.input_names) != 1:
        names = ", ".join(model.input_names)
        raise UsageError(f"preprocessing: for models with one input; this one has {names}")
    shape, dtype = model.input_shapes[0], model.input_dtypes[0]
    if dtype.kind in "iub":
        raise UsageError(
            f"preprocessing: for inputs of floating-point numbers; {model.input_names[0]} holds {dtype}: "
            "put a Cast and the normalisation into the model"
        )
    axis = preprocessing.get("axis")
    mean, std = (_array(name, preprocessing[name], axis, shape, dtype) for name in ("mean", "std"))
    if not ((std > 0) & np.isfinite(std) & np.isfinite(mean)).all():
        raise UsageError(f"preprocessing: mean and std must be finite and std above 0, as {dtype} too")
    proto = ModelProto()
    proto.ParseFromString(model.proto)
    _put_in_front(proto, model.input_names[0], mean, std)
    return load_onnx(proto)


def _array(
    name: str, value: Any, axis: Any, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> np.ndarray[Any, Any]:
    """The value as an array that broadcasts over the input."""
    try:
        array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"preprocessing: {name} must be numbers ({error})") from error
    if not np.isfinite(array).all():
        raise UsageError(f"preprocessing: {name} must be finite numbers")
    if array.ndim == 1 and array.shape != shape:
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape) or shape[axis] != array.size:
            raise UsageError(
                f"preprocessing: {name} has {array.size} numbers; name the axis of the input {list(shape)} "
                'that has as many, as in "axis": -3'
            )
        wanted = [1] * len(shape)
        wanted[axis] = array.size
        array = array.reshape(wanted)
    elif array.ndim and not _broadcasts(array.shape, shape):
        raise UsageError(f"preprocessing: {name} has the shape {array.shape}, the input {shape}")
    with np.errstate(over="ignore"):  # infinity is refused by the caller
        return array.astype(dtype)


def _broadcasts(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape spreads over one of the other without making it larger."""
    try:
        return np.broadcast_shapes(small, shape) == shape
    except ValueError:
        return False


def _put_in_front(
    proto: ModelProto, name: str, mean: np.ndarray[Any, Any], std: np.ndarray[Any, Any]
) -> None:
    """The graph's input gets a new name; nodes in front make the tensor that had it."""
    graph = proto.graph
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {one.name for one in (*graph.input, *graph.output, *graph.initializer)}
    raw, centred, *constants = (free_name(used, word) for word in ("raw", "centred", "mean", "std"))
    next(one for one in graph.input if one.name == name).name = raw
    for constant, array in zip(constants, (mean, std), strict=True):
        graph.initializer.append(numpy_helper.from_array(array, constant))
    graph.node.insert(0, helper.make_node("Sub", [raw, constants[0]], [centred], name="preprocessing_mean"))
    graph.node.insert(1, helper.make_node("Div", [centred, constants[1]], [name], name="preprocessing_std"))
