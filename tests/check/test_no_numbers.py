"""What is no real number, or computed otherwise than real numbers are, is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from genbab.check.failures import Unusable
from genbab.check.model.program import Wire
from genbab.check.model.reading import read
from genbab.check.model.values import evaluate
from tests.check.files import model
from tests.check.test_operators import Arrays, integers, node, one

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
