"""ONNX models with a `Loop` that goes on while its state changes, and what they compute over the reals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Changing:
    """z = f(W z + U x + b), from z = start, while a norm of the change is above a tolerance; then y = V z.

    most: turns at most, None for any number; norm: how the change is measured; compared: the comparison that
    goes on, its negation with `turned`.
    """

    norm: float = 0.6
    f: str = "Tanh"
    tolerance: float = 1e-3
    most: int | None = 1000
    measure: str = "ReduceMax"
    compared: str = "Greater"
    turned: bool = False
    seed: int = 0
    start: float = 0.0

    @property
    def weights(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """(W, U, b, V), numbers of float32."""
        random = np.random.default_rng(self.seed)
        w, u = random.normal(size=(5, 5)), random.normal(size=(5, 3))
        rest = random.normal(size=5), random.normal(size=(5, 2))
        w = w * self.norm / np.linalg.norm(w, 2)
        found = tuple(np.asarray(a, np.float32).astype(np.float64) for a in (w, u, *rest))
        return found[0], found[1], found[2], found[3]

    def proto(self) -> ModelProto:
        """The model."""
        w, u, b, v = self.weights
        body = helper.make_graph(
            self._body(),
            "body",
            [
                _info("i", TensorProto.INT64, []),
                _info("c", TensorProto.BOOL, []),
                _info("z", TensorProto.FLOAT, [1, 5]),
            ],
            [_info("go", TensorProto.BOOL, []), _info("new", TensorProto.FLOAT, [1, 5])],
        )
        nodes = [
            helper.make_node("MatMul", ["x", "U"], ["xU"]),
            helper.make_node("Add", ["xU", "b"], ["u"]),
            helper.make_node(
                "Loop", ["most" if self.most else "", "yes", "start"], ["z_end"], "loop", body=body
            ),
            helper.make_node("MatMul", ["z_end", "V"], ["y"]),
        ]
        constants = {"W": w.T, "U": u.T, "b": b[None], "V": v, "start": np.full((1, 5), self.start)}
        constants["tolerance"] = np.array(self.tolerance)
        tensors = [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in constants.items()]
        tensors += [
            numpy_helper.from_array(np.array(True), "yes"),
            numpy_helper.from_array(np.array(self.most or 0), "most"),
        ]
        given, left = _info("x", TensorProto.FLOAT, [1, 3]), _info("y", TensorProto.FLOAT, [1, 2])
        graph = helper.make_graph(nodes, "graph", [given], [left], tensors)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        checker.check_model(made)
        return made

    def _body(self) -> list[NodeProto]:
        nodes = [
            helper.make_node("MatMul", ["z", "W"], ["zW"]),
            helper.make_node("Add", ["zW", "u"], ["a"]),
            helper.make_node(self.f, ["a"], ["new"]),
            helper.make_node("Sub", ["new", "z"], ["change"]),
        ]
        if self.measure in ("ReduceMax", "ReduceMean"):
            nodes.append(helper.make_node("Abs", ["change"], ["size"]))
        read = "size" if self.measure in ("ReduceMax", "ReduceMean") else "change"
        nodes.append(helper.make_node(self.measure, [read], ["far"], keepdims=0))
        nodes.append(
            helper.make_node(self.compared, ["far", "tolerance"], ["above" if self.turned else "go"])
        )
        return nodes + ([helper.make_node("Not", ["above"], ["go"])] if self.turned else [])

    def value(self, x: Numbers) -> Numbers:
        """y (N, 2) at x (N, 3), in float64."""
        w, u, b, v = self.weights
        limit = float(np.float32(self.tolerance))
        found = []
        for point in x:
            z, turn, going = np.full(5, self.start), 0, True
            while going and (self.most is None or turn < self.most):
                a = w @ z + u @ point + b
                new = np.tanh(a) if self.f == "Tanh" else np.maximum(a, 0.0)
                size, z, turn = np.abs(new - z), new, turn + 1
                sizes = {"ReduceMax": size.max(), "ReduceMean": size.mean(), "ReduceL2": np.linalg.norm(size)}
                going = {**sizes, "ReduceL1": size.sum(), "ReduceSumSquare": (size**2).sum()}[
                    self.measure
                ] > limit
            found.append(v.T @ z)
        return np.array(found)


def _info(name: str, kind: int, shape: list[int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
