"""The operator that docs/extending.md adds: the file is enough, onnxruntime agrees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from genbab.errors import UnsupportedError
from genbab.network import evaluate
from genbab.reader import load_onnx
from genbab.reader.lower import LOWERINGS
from genbab.reader.lower.table import HOW

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"


@pytest.fixture
def added() -> Iterator[None]:
    """The page's lowering, registered for a while in the place of the one that goes on to larger matrices."""
    own = LOWERINGS["Det"], HOW["Det"]
    block = r'^```py title="genbab/reader/lower/[^"]*"\n(.*?)^```$'
    (code,) = re.findall(block, PAGE.read_text(), re.DOTALL | re.MULTILINE)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "extended"})
    yield
    LOWERINGS["Det"], HOW["Det"] = own


def determinants(shape: tuple[int, ...]) -> onnx.ModelProto:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape[:-2])
    node = onnx.helper.make_node("Det", ["x"], ["y"])
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [x], [y]), opset_imports=[opset], ir_version=8
    )


@pytest.mark.usefixtures("added")
def test_the_operator_of_the_page_is_lowered() -> None:
    model = load_onnx(determinants((3, 2, 2)))  # compared with onnxruntime on loading
    x = torch.randn(5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = np.linalg.det(x.numpy().reshape(5, 3, 2, 2))
    assert np.allclose(evaluate(model.network, x).numpy(), wanted)


@pytest.mark.usefixtures("added")
def test_what_it_refuses_is_named() -> None:
    with pytest.raises(UnsupportedError, match="another size than 2 x 2"):
        load_onnx(determinants((3, 3, 3)))
