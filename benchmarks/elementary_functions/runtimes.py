"""Elementary functions as onnxruntime and torch compute them, on the CPU and in one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch.nn import functional

Array = NDArray[np.float32]
Run = Callable[[Array], Array]

_CPU = "/proc/cpuinfo"
OPSETS = (("", 22), ("com.microsoft", 1))
_NEWER = (("", 24), ("com.microsoft", 1))  # the first with Swish
_OPERATORS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "exp": (("Exp", {}),),
    "log": (("Log", {}),),
    "tanh": (("Tanh", {}),),
    "sigmoid": (("Sigmoid", {}),),
    "erf": (("Erf", {}),),
    "gelu": (("Gelu", {"approximate": "none"}), ("com.microsoft.Gelu", {})),
    "gelu_tanh": (("Gelu", {"approximate": "tanh"}), ("com.microsoft.FastGelu", {})),
    "softplus": (("Softplus", {}),),
    "silu": (("Swish", {}), ("com.microsoft.QuickGelu", {"alpha": 1.0})),
    "quick_gelu(1.702)": (("com.microsoft.QuickGelu", {"alpha": 1.702}),),
    "mish": (("Mish", {}),),
    "elu(1)": (("Elu", {}),),
    "selu(1.67326, 1.0507)": (("Selu", {}),),
    "celu(1)": (("Celu", {}),),
    "hard_sigmoid(0.2, 0.5)": (("HardSigmoid", {}),),
    "hard_swish": (("HardSwish", {}),),
    "softsign": (("Softsign", {}),),
    "sin": (("Sin", {}),),
    "cos": (("Cos", {}),),
    "tan": (("Tan", {}),),
    "asin": (("Asin", {}),),
    "acos": (("Acos", {}),),
    "atan": (("Atan", {}),),
    "sinh": (("Sinh", {}),),
    "cosh": (("Cosh", {}),),
    "asinh": (("Asinh", {}),),
    "acosh": (("Acosh", {}),),
    "atanh": (("Atanh", {}),),
    "sqrt": (("Sqrt", {}),),
    "reciprocal": (("Reciprocal", {}),),
    "power(2)": (("Pow", {"exponent": 2.0}),),
    "power(3)": (("Pow", {"exponent": 3.0}),),
    "power(0.5)": (("Pow", {"exponent": 0.5}),),
    "power(-0.5)": (("Pow", {"exponent": -0.5}),),
    "power(-1)": (("Pow", {"exponent": -1.0}),),
    "power(1.5)": (("Pow", {"exponent": 1.5}),),
}
_TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "softplus": functional.softplus,
    "silu": functional.silu,
    "mish": functional.mish,
    "elu(1)": functional.elu,
    "selu(1.67326, 1.0507)": functional.selu,
    "celu(1)": functional.celu,
    "hard_swish": functional.hardswish,
    "softsign": functional.softsign,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "sqrt": torch.sqrt,
    "reciprocal": torch.reciprocal,
    "power(2)": lambda x: torch.pow(x, 2.0),
    "power(3)": lambda x: torch.pow(x, 3.0),
    "power(0.5)": lambda x: torch.pow(x, 0.5),
    "power(-0.5)": lambda x: torch.pow(x, -0.5),
    "power(-1)": lambda x: torch.pow(x, -1.0),
    "power(1.5)": lambda x: torch.pow(x, 1.5),
}
NAMES: dict[str, tuple[str, ...]] = {"onnxruntime": tuple(_OPERATORS), "torch": tuple(_TORCH)}
"""Runtime to the functions that it has."""


def variants(runtime: str, name: str) -> Sequence[Run]:
    """The ways in which a runtime computes a function; the first is what is written most."""
    torch.set_num_threads(1)
    if runtime == "torch":
        function = _TORCH[name]
        return [lambda x: function(torch.from_numpy(x)).numpy()]
    return [_session(kind, attributes) for kind, attributes in _OPERATORS[name]]


def _session(operator: str, attributes: dict[str, Any]) -> Run:
    """A model of one node on a vector of any length."""
    domain, _, kind = operator.rpartition(".")
    given, constants = dict(attributes), []
    if "exponent" in given:
        constants = [helper.make_tensor("p", TensorProto.FLOAT, [], [given.pop("exponent")])]
    inputs = ["x", *(c.name for c in constants)]
    node = helper.make_node(kind, inputs, ["y"], domain=domain, **given)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N"]) for n in "xy"]
    graph = helper.make_graph([node], "one", values[:1], values[1:], constants)
    opsets = [helper.make_opsetid(*o) for o in (_NEWER if kind == "Swish" else OPSETS)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

    def run(x: Array) -> Array:
        y: Array = made.run(None, {"x": x})[0]
        return y

    return run


def flushed(run: Run) -> Run:
    """The same with subnormal numbers taken for 0 and replaced by 0, as a flag of the processor has it."""

    def quick(x: Array) -> Array:
        torch.set_flush_denormal(True)
        try:
            return run(x)
        finally:
            torch.set_flush_denormal(False)

    return quick


def versions(runtime: str) -> dict[str, str]:
    """The runtime's version and those of what the measurement stands on."""
    own = {"onnxruntime": onnxruntime.__version__, "torch": torch.__version__}
    return {runtime: own[runtime], "numpy": np.__version__, "onnx": onnx.__version__}


def capability(runtime: str) -> str:
    """Which of a runtime's kernels run, where it says so."""
    return str(torch.backends.cpu.get_cpu_capability()) if runtime == "torch" else ""


def processor() -> str:
    """The processor's name and those of its features that kernels choose by."""
    words = {
        "avx",
        "avx2",
        "fma",
        "avx512f",
        "avx512dq",
        "avx512bw",
        "avx512vl",
        "avx512_bf16",
        "asimd",
        "sve",
    }
    name, features = os.uname().machine, set[str]()
    if os.path.exists(_CPU):
        with open(_CPU, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                name = value.strip() if key.strip() == "model name" else name
                features |= words & set(value.split()) if key.strip() in ("flags", "Features") else set()
    return f"{name}: {' '.join(sorted(features))}"
