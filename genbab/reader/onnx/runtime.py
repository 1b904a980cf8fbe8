"""onnxruntime, which is loaded on first use: quiet sessions of one thread, and what goes into them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from genbab.errors import ModelError

if TYPE_CHECKING:
    from onnx import ModelProto


class InferenceSession(Protocol):
    """What is used of an onnxruntime session."""

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> Sequence[Any]:
        """The outputs of these names for these inputs."""


def session(proto: bytes, optimised: bool = False) -> InferenceSession:
    """A session on the CPU; `optimised` with onnxruntime's graph optimisations.

    Raises what onnxruntime raises.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made: InferenceSession = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    return made


def opened(proto: ModelProto, source: str) -> InferenceSession:
    """A session without optimisations.

    Raises `ModelError`, which names the source, for a model that onnxruntime refuses.
    """
    try:
        return session(proto.SerializeToString())
    except Exception as error:  # onnxruntime has a class of its own for every failure
        raise ModelError(f"{source}: onnxruntime refuses the model: {first_line(error)}") from error


def runs(proto: ModelProto) -> bool:
    """Whether onnxruntime accepts the model."""
    try:
        session(proto.SerializeToString())
    except Exception:  # its errors share no class
        return False
    return True


def outputs(
    one: InferenceSession, names: Sequence[str], feed: Mapping[str, Any], source: str
) -> list[npt.NDArray[Any]]:
    """The outputs of these names; raises `ModelError`, which names the source, where the run fails."""
    try:
        return [np.asarray(a) for a in one.run(list(names), feed)]
    except Exception as error:
        raise ModelError(f"{source}: onnxruntime fails on the model: {first_line(error)}") from error


def divided(
    x: npt.NDArray[Any],
    names: Sequence[str],
    shapes: Sequence[Sequence[int]],
    kinds: Sequence[np.dtype[Any]],
) -> dict[str, npt.NDArray[Any]]:
    """The numbers of x (D,) as the model's inputs, one after the other, in their shapes and types."""
    feed, start = {}, 0
    for name, shape, kind in zip(names, shapes, kinds, strict=True):
        end = start + math.prod(shape)
        feed[name] = x[start:end].astype(kind).reshape(shape)
        start = end
    return feed


def first_line(error: Exception) -> str:
    """What the error says first, or its class."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
