"""Which tensors of a model's graph go into its activation functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from onnx import ModelProto, ValueInfoProto

from genbab.network import values
from genbab.nonlinear import Nonlinearity
from genbab.reader.models.hidden import tensors
from genbab.reader.models.model import Model
from genbab.reader.onnx.runtime import divided, session

POINTS = 3
"""Random inputs at which a tensor and an argument must agree."""

TOLERANCE = 1e-3
"""Of the largest entry, up to which they may differ: onnxruntime computes in float32."""


class Activated(NamedTuple):
    """A tensor of the graph, how many numbers it has, the functions that it goes into."""

    name: str
    size: int
    functions: tuple[str, ...]


def activated(model: Model) -> tuple[Activated, ...]:
    """The tensors that hold the arguments of the network's elementwise functions, in order.

    Found by their values at random inputs, so that it does not matter from how many operators a function is
    put together. Arguments that no tensor of the graph holds are left out.
    """
    network = model.network
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(POINTS, network.input_size, generator=generator).double()
    found = values(network, points)
    functions: dict[int, list[str]] = {}
    for node in network.nonlinear.values():
        if isinstance(node.fn, Nonlinearity):
            functions.setdefault(node.args[0], []).append(node.fn.name)
    shown = _shown(model, points.numpy())
    matched = []
    for i, names in sorted(functions.items()):
        wanted = found[i].numpy()
        name = next((n for n, value in shown.items() if _same(value, wanted)), None)
        if name is not None:
            matched.append(Activated(name, wanted.shape[1], tuple(dict.fromkeys(names))))
    return tuple(matched)


def _same(value: np.ndarray, wanted: np.ndarray) -> bool:
    allowed = TOLERANCE * np.abs(wanted).max(initial=1e-6)
    return value.shape == wanted.shape and bool((np.abs(value - wanted) <= allowed).all())


def _shown(model: Model, points: np.ndarray) -> dict[str, np.ndarray]:
    """The values (POINTS, n) of every floating-point tensor of the graph."""
    proto = ModelProto.FromString(model.proto)
    names = [n for n in tensors(model) if n not in model.output_names]
    proto.graph.output.extend(ValueInfoProto(name=name) for name in names)
    one = session(proto.SerializeToString(), optimised=True)
    runs: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for x in points:
        feed = divided(x, model.input_names, model.input_shapes, model.input_dtypes)
        for name, value in zip(names, one.run(names, feed), strict=True):
            if isinstance(value, np.ndarray) and "float" in value.dtype.name:
                runs[name].append(value.reshape(-1).astype(np.float64))
    return {name: np.stack(rows) for name, rows in runs.items() if len(rows) == POINTS}
