"""Small models, specifications and proofs as files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

SPLIT = np.dtype([("node", "<i8"), ("tensor", "<i4"), ("entry", "<i8"), ("point", "<f8")])


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray[Any, Any]],
    shape: Sequence[int],
    output: Sequence[int | None] | None = None,
    opset: int = 20,
) -> bytes:
    """A model from x to y."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(made.SerializeToString())


def network(sizes: Sequence[int], op: str, seed: int) -> bytes:
    """A random network of layers with one activation between them."""
    rng = np.random.default_rng(seed)
    nodes, constants, name = [], {}, "x"
    for i, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        constants[f"w{i}"] = (rng.normal(size=(n, m)) / n**0.5).astype(np.float32)
        constants[f"b{i}"] = rng.normal(size=m).astype(np.float32) * np.float32(0.3)
        last = i == len(sizes) - 2
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], ["y" if last else f"z{i}"]))
        if not last:
            nodes.append(helper.make_node(op, [f"z{i}"], [f"a{i}"]))
        name = f"a{i}"
    return model(nodes, constants, (1, sizes[0]), (1, sizes[-1]))


def specification(low: Sequence[float], high: Sequence[float], outputs: int, unsafe: str) -> str:
    """A text with a box of inputs and an unsafe set."""
    lines = [f"(declare-const X_{i} Real)" for i in range(len(low))]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        lines += [f"(assert (>= X_{i} {a!r}))", f"(assert (<= X_{i} {b!r}))"]
    return "\n".join([*lines, unsafe])


def npy(array: ArrayLike, *, pickle: bool = False) -> bytes:
    """The bytes of an array's file."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=pickle)
    return file.getvalue()


def digests(folder: Path) -> dict[str, Any]:
    """What a header says of the model and the specification."""
    return {
        name: {"sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
        for name, file in (("model", "m.onnx"), ("specification", "s.vnnlib"))
    }


def written(
    folder: Path,
    low: ArrayLike,
    high: ArrayLike,
    splits: Iterable[tuple[int, int, int, float]] = (),
    header: dict[str, Any] | None = None,
    arrays: dict[str, ArrayLike] | None = None,
) -> Path:
    """A proof of the model and specification in a folder."""
    said = {"format": "genbab proof", "version": 1, "writer": "tests", **digests(folder), **(header or {})}
    with zipfile.ZipFile(folder / "proof", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", json.dumps(said))
        file.writestr("boxes/lower.npy", npy(np.atleast_2d(np.asarray(low, dtype=np.float64))))
        file.writestr("boxes/upper.npy", npy(np.atleast_2d(np.asarray(high, dtype=np.float64))))
        file.writestr("splits/000000.npy", npy(np.array(list(splits), dtype=SPLIT)))
        for name, array in (arrays or {}).items():
            file.writestr(name, npy(array))
    return folder / "proof"
