"""Bounds of executions by the checker, and executions of all kinds that must lie within them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from genbab.check.executed.operators import Charger
from genbab.check.executed.sums import SumCharge
from genbab.check.intervals import Pair
from genbab.check.model.program import Program, Wire
from genbab.check.model.reading import read
from genbab.check.model.values import Values
from genbab.check.passes.backward import bounded
from genbab.network.rounding import elementary
from tests.check.passes import tight
from tests.soundness.float32 import NotEmulated, Style, styles
from tests.soundness.float32 import Program as Graph
from tests.soundness.float32.machine import tensors
from tests.soundness.float32.styles import BEYOND, SINGLE
from tests.soundness.float32.tables import InTable, InUlps

Array = NDArray[Any]
TABLES = Path(elementary.__file__).with_name("tables")
LIKE = {
    "onnxruntime": Style(
        allowed=InTable(TABLES / "onnxruntime.json"), whole=SINGLE, beyond=frozenset(BEYOND)
    ),
    "torch": Style(allowed=InTable(TABLES / "torch.json"), whole=SINGLE, beyond=frozenset(BEYOND)),
    "4ulp": Style(allowed=InUlps(4), whole=SINGLE, beyond=frozenset(BEYOND)),
}


def output_bounds(data: bytes, low: Array, high: Array, table: str) -> Pair:
    """Bounds (O,) of all outputs on a box, infinite where a number may not be finite."""
    program = read(data, Charger(table))
    out = program.tensors[program.outputs[0]]
    assert isinstance(out, Wire)
    values = tight(program, (low.reshape(1, -1).astype(np.float64), high.reshape(1, -1).astype(np.float64)))
    size = program.size(out.step)
    if values.lost.any():
        return np.full(size, -np.inf), np.full(size, np.inf)
    found = bounded(program, values, out.step, np.concatenate([np.eye(size), -np.eye(size)]))[0]
    ends = [end[0] for end in values.ranges[out.step]]
    return np.maximum(ends[0], found[:size]), np.minimum(ends[1], -found[size:])


def executions(
    data: bytes, x: Array, table: str, seed: int = 0, count: int = 26
) -> Iterator[dict[str, Array]]:
    """What runs compute at points (P, ...) by tensor: the emulator in many styles, and onnxruntime."""
    model = onnx.load_model_from_string(data)
    try:
        graph = Graph.of(model)
        for style in styles(seed, count, LIKE[table]):
            yield tensors(graph, {"x": x}, style)
    except NotEmulated:
        pass
    if table == "onnxruntime":
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        every = [session.run(names, {"x": point}) for point in x]
        yield {name: np.stack([one[i] for one in every]) for i, name in enumerate(names)}


def outside(program: Program, values: Values, found: dict[str, Array]) -> list[str]:
    """The tensors that leave their intervals; a part of a sum is no tensor of its own."""
    wrong = []
    for name, array in found.items():
        wire = program.tensors.get(name)
        if not isinstance(wire, Wire) or array.dtype != np.float32:
            continue
        step = program.steps[wire.step]
        if step is not None and isinstance(step.charge, SumCharge) and step.charge.joined:
            continue
        low, high = (end[0] for end in values.ranges[wire.step])
        flat = array.reshape(len(array), -1).astype(np.float64)
        if not ((low <= flat) & (flat <= high)).all():
            wrong.append(name)
    return wrong
