"""What is no real number, or computed otherwise than real numbers are, is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from genbab.check.__main__ import main
from genbab.check.failures import Unusable
from genbab.check.model.program import Wire
from genbab.check.model.reading import read
from genbab.check.model.values import evaluate
from tests.check.files import model, specification, written
from tests.check.test_operators import Arrays, integers, node, one

FILES = ("m.onnx", "s.vnnlib", "proof")
NAN, INFINITY = float("nan"), float("inf")
NAN_OF = numpy_helper.from_array(np.array([NAN], dtype=np.float32))
TO_FLOAT = node("Cast", "d", to=1)


def chosen(*then: Any) -> list[Any]:
    """Integers by a comparison, and what follows."""
    return [node("Greater", "x", "zero", out="p"), node("Where", "p", "a", "b", out="w"), *then, TO_FLOAT]


WHOLE: Arrays = {"zero": one(0), "a": integers(7), "b": integers(2), "c": integers(2)}
REFUSED: dict[str, tuple[list[Any], Arrays, str]] = {
    "a slope": ([node("LeakyRelu", alpha=NAN)], {}, "alpha"),
    "an infinite slope": ([node("LeakyRelu", alpha=INFINITY)], {}, "alpha"),
    "a factor": ([node("Elu", alpha=NAN)], {}, "alpha"),
    "a shift": ([node("HardSigmoid", beta=NAN)], {}, "beta"),
    "a constant": ([node("PRelu", "x", "c")], {"c": one(NAN)}, "not finite"),
    "a value": ([node("Constant", value_float=NAN, out="c"), node("PRelu", "x", "c")], {}, "value_float"),
    "a filled constant": (
        [node("ConstantOfShape", "n", value=NAN_OF, out="c"), node("PRelu", "x", "c")],
        {"n": integers(2)},
        "not finite",
    ),
    "a cast constant": (
        [node("Cast", "c", to=10, out="h"), node("Cast", "h", to=1, out="s"), node("PRelu", "x", "s")],
        {"c": one(1e6)},
        "largest",
    ),
    "a quotient of integers": (chosen(node("Div", "w", "c", out="d")), WHOLE, "integers"),
    "a sum of integers": (chosen(node("Add", "w", "c", out="d")), WHOLE, "integers"),
    "parts that overlap": ([node("Shrink", lambd=-1.0)], {}, "lambd"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_real_number_is_refused(name: str) -> None:
    nodes, constants, reason = REFUSED[name]
    with pytest.raises(Unusable, match=reason):
        read(model(nodes, constants, (2,)))


def test_limits_may_be_infinite() -> None:
    constants = {"a": one(-INFINITY), "b": one(0.5)}
    program = read(model([node("Clip", "x", "a", "b")], constants, (2,)))
    y, x = program.tensors["y"], np.array([[-3.0, 2.0]])
    assert isinstance(y, Wire)
    low, high = evaluate(program, (x, x)).ranges[y.step]
    assert low.tolist() == high.tolist() == [[-3.0, 0.5]]


BOUNDED = [node("Sigmoid", "l", out="s"), node("Greater", "s", "low", out="p"), node("Cast", "p", to=1)]
PARTIAL: dict[str, tuple[list[Any], float]] = {
    "Log": ([node("Log", out="l")], 0.0),
    "Sqrt": ([node("Sqrt", out="l")], -1e-9),
    "Asin": ([node("Sub", "x", "one", out="t"), node("Asin", "t", out="l")], -1e-9),
    "Acosh": ([node("Add", "x", "one", out="t"), node("Acosh", "t", out="l")], -1e-9),
    "Atanh": ([node("Sub", "x", "one", out="t"), node("Atanh", "t", out="l")], 0.0),
    "Div": ([node("Div", "one", "x", out="l")], 0.0),
    "Pow": ([node("Pow", "x", "half", out="l")], -1e-9),
    "LpNormalization": ([node("LpNormalization", out="l")], 0.0),
    "RMSNormalization": ([node("RMSNormalization", "x", "one", out="l", epsilon=0.0)], 0.0),
}


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("name", PARTIAL)
def test_nothing_is_accepted_where_something_has_no_value(name: str, joined: bool, tmp_path: Path) -> None:
    """The sigmoid of whatever it is is above -1, but what is no number is not, in onnxruntime."""
    nodes, beyond = PARTIAL[name]
    constants = {"low": one(-1.0), "one": np.ones(1, np.float32), "half": one(0.5)}
    data = model([*nodes, *BOUNDED], constants, (1,), (1,), opset=23 if "RMS" in name else 20)
    (tmp_path / "m.onnx").write_bytes(data)
    codes = []
    for low in (0.25, beyond):
        (tmp_path / "s.vnnlib").write_text(specification([low], [1.5], 1, "(assert (<= Y_0 0.5))"))
        functions = [{"out": "s", "args": ["x"]}] if joined else []
        written(tmp_path, [low - 1e-12], [1.5], header={"functions": functions})
        codes.append(main([str(tmp_path / f) for f in FILES] + ["--extra-splits", "2"]))
    assert codes == [0, 1]


def test_a_variance_below_0_is_refused() -> None:
    constants = {"a": np.ones(2, np.float32), "v": np.array([1.0, -1.0], np.float32)}
    with pytest.raises(Unusable, match="variance"):
        read(model([node("BatchNormalization", "x", "a", "a", "a", "v")], constants, (1, 2)))
