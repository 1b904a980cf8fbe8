"""Small ONNX models, VNN-LIB 2 queries about several of them, and their meaning written a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Point = Mapping[str, Array]


def save(  # noqa: PLR0913
    path: Path,
    seed: int,
    shift: float = 0.0,
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """tanh of a random map of all inputs (two numbers each), summed, shifted; further outputs: its sine."""
    random, dtype = np.random.default_rng(seed), helper.tensor_dtype_to_np_dtype(kind)
    sizes = {"first": (2 * len(inputs), 4), "second": (4, 1)}
    tensors = [numpy_helper.from_array(random.normal(size=s).astype(dtype), n) for n, s in sizes.items()]
    tensors.append(numpy_helper.from_array(np.full((1, 1), shift, dtype), "third"))
    nodes = [
        helper.make_node("Concat", list(inputs), ["all"], axis=1),
        helper.make_node("MatMul", ["all", "first"], ["a"]),
        helper.make_node("Tanh", ["a"], ["t"]),
        helper.make_node("MatMul", ["t", "second"], ["m"]),
        helper.make_node("Add", ["m", "third"], [outputs[0]]),
        *(helper.make_node("Sin", [outputs[0]], [name]) for name in outputs[1:]),
    ]
    ends = [helper.make_tensor_value_info(name, kind, [1, 2]) for name in inputs]
    starts = [helper.make_tensor_value_info(name, kind, [1, 1]) for name in outputs]
    graph = helper.make_graph(nodes, path.stem, ends, starts, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def outputs_of(path: Path, *inputs: Array) -> list[Array]:
    """What onnxruntime gives for these inputs, in the graph's order."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    ends = session.get_inputs()
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    feed = {e.name: x.astype(kinds[e.type]).reshape(e.shape) for e, x in zip(ends, inputs, strict=True)}
    return [np.asarray(y) for y in session.run(None, feed)]


def unit(*variables: str) -> str:
    """Assertions that keep these between 0 and 1."""
    return "".join(f"(assert (and (>= {v} 0.0) (<= {v} 1.0)))\n" for v in variables)


TWO = f"""(vnnlib-version <2.0>)
(declare-network f (declare-input X real [1,2]) (declare-output Y real [1,1]))
(declare-network g (isomorphic-to f) (declare-input U real [1,2]) (declare-output W real [1,1]))
{unit("X[0,0]", "X[0,1]")}(assert (== X[0,0] U[0,0]))
(assert (== U[0,1] X[0,1]))
"""
"""Two networks on the same input."""

MIXED = f"""; two runs of one network and one run of another, which has two inputs and two outputs
(vnnlib-version <2.0>)
(declare-network f (declare-input X real [1,2]) (declare-output Y real [1,1]))
(declare-network f2 (equal-to f) (declare-input X2 real [1,2]) (declare-output Y2 real [1,1]))
(declare-network h (declare-input P real [1,2]) (declare-input Q real [2])
  (declare-output Z real [1,1]) (declare-output V real []))
{unit("X[0,0]", "X[0,1]", "X2[0,0]", "X2[0,1]", "P[0,0]", "P[0,1]", "Q[0]", "Q[1]")}
(assert (>= (+ Y[0,0] (- Z[0,0]) (* V X2[0,1])) (+ Y2[0,0] 0.2)))
"""


def parsed(lines: Sequence[str]) -> dict[str, tuple[str, Array]]:
    """The tensors of a printed assignment, name to (type, values); raises where the standard has it else."""
    found: dict[str, tuple[str, Array]] = {}
    at = 0
    while at < len(lines):
        name, kind, shape = lines[at].split(" ")
        assert shape[0] == "[" and shape[-1] == "]" and name not in found
        axes = [int(n) for n in shape[1:-1].split(",") if n]
        size = int(np.prod(axes, dtype=int))
        values = lines[at + 1 : at + 1 + size]
        assert len(values) == size and all("e" not in v.lower() and " " not in v for v in values)
        found[name] = kind, np.array([float(v) for v in values]).reshape(axes)
        at += 1 + size
    return found


def mixed_holds(models: Mapping[str, Path], at: Point) -> bool:
    """Whether the assignment is one of MIXED: outputs as onnxruntime gives them, all relations true."""
    y, y2 = outputs_of(models["f"], at["X"])[0], outputs_of(models["f"], at["X2"])[0]
    z, v = outputs_of(models["h"], at["P"], at["Q"])
    given = {"Y": y, "Y2": y2, "Z": z, "V": v}
    same = all(np.allclose(at[n].reshape(-1), value.reshape(-1), atol=1e-6) for n, value in given.items())
    inside = all((at[n] >= 0).all() and (at[n] <= 1).all() for n in ("X", "X2", "P", "Q"))
    return bool(same and inside and y - z + v * at["X2"][0, 1] >= y2 + 0.2)
