"""A model in a newer operator set, by ONNX's own converter, whose work is checked before it is used."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, version_converter

from genbab.errors import ModelError
from genbab.reader.onnx.files import Signature
from genbab.reader.onnx.runtime import first_line, opened, outputs
from genbab.reader.onnx.whole import kind_limits
from genbab.reader.tensors.values import Array, count

RELATIVE = 1e-5
"""How far apart the two models' outputs may lie, as a share of the tensor's largest entry."""

SPREADS = (0.0, 0.01, 0.1, 1.0, 1.0, 10.0, 100.0, 1000.0)
"""The standard deviations of the inputs that both models are run on."""


def raised(proto: ModelProto, signature: Signature, version: int, compared: bool = True) -> ModelProto:
    """The model in the given, newer operator set of ONNX.

    In onnxruntime it gave what the old one gives, on random inputs of several sizes, unless it is not to be
    `compared`. Raises `ModelError` where it cannot be converted, or not with that result.
    """
    source = f"{signature.source}: cannot be converted from opset {signature.opset} to {version}"
    if proto.functions:
        raise ModelError(f"{source}: it has functions of its own")
    try:
        made = version_converter.convert_version(proto, version)
    except Exception as error:  # the converter raises what it likes
        raise ModelError(f"{source}: {first_line(error)}") from error
    typed = [v for v in made.graph.value_info if v.type.tensor_type.elem_type]  # it adds some without a type
    del made.graph.value_info[:]
    made.graph.value_info.extend(typed)
    if not set(signature.input_names) <= {v.name for v in made.graph.input}:
        raise ModelError(f"{source}: an input is lost")
    if told := _difference(proto, made, signature, source) if compared else "":
        raise ModelError(f"{source}: {told}")
    return made


def _difference(old: ModelProto, new: ModelProto, signature: Signature, source: str) -> str:
    """What tells the two models apart on random inputs, "" if nothing does."""
    sessions = [opened(p, source) for p in (old, new)]
    random, compared = np.random.default_rng(0), False
    names = [o.name for o in old.graph.output]
    for spread in SPREADS:
        feed = {
            name: _cast(spread * random.standard_normal(count(shape)), kind).reshape(shape)
            for name, shape, kind in zip(
                signature.input_names, signature.input_shapes, signature.input_dtypes, strict=True
            )
        }
        was, now = (outputs(one, names, feed, source) for one in sessions)
        if [a.shape for a in was] != [a.shape for a in now]:
            return "the outputs then have other shapes"
        if not all(map(_close, was, now)):
            return "the outputs then are others"
        compared = compared or all(bool(np.isfinite(a).all()) for a in was)
    return "" if compared else "no random input gave finite outputs to compare"


def _cast(x: Array, kind: np.dtype[np.generic]) -> Array:
    """The numbers in a type; integers are the nearest ones that it has."""
    ends = kind_limits(kind)
    return (x if ends is None else np.clip(np.rint(x), float(ends[0]), float(ends[1]))).astype(kind)


def _close(was: Array, now: Array) -> bool:
    """Whether the entries are the same up to rounding, infinite and undefined ones exactly."""
    finite = np.isfinite(was)
    if not np.array_equal(was[~finite], now[~finite], equal_nan=True):
        return False
    size = float(np.abs(was[finite]).max(initial=0.0))
    return bool((np.abs(now[finite] - was[finite]) <= RELATIVE * size).all())
