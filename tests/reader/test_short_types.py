"""Models in float16 and bfloat16 over the reals: their numbers as they are, conversions that round."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from genbab.errors import ModelError
from genbab.network import evaluate, without_domains
from genbab.network.interval import propagate
from genbab.reader import Model, load_onnx
from genbab.reader.models.joined import element_types
from tests.reader.cases import Case, by_operator
from tests.reader.retyped import retyped

INVALID = ("Type Error", "TypeInferenceError", "CPU execution provider", "AffineGrid", "IsAxisInRange")
"""What onnxruntime says of operators that take no float16, or that it lacks for it."""

ROUND = """<ir_version: 8, opset_import: ["" : 18]> g (float[1,3] x) => (float[1,3] y) {{
    h = Cast<to={to}>(x) y = Cast<to=1>(h) }}"""

SUM = """<ir_version: 8, opset_import: ["" : 18]> g (float16[1,1] x) => (float16[1,1] y) {{
    a = Constant<value=float16[1] {{{first}}}>() b = Constant<value=float16[1] {{{second}}}>()
    c = {operator}(a, b) y = Add(x, c) }}"""


def bits(number: float) -> int:
    """How the text format writes a number of float16: as the integer of its bits."""
    return int(np.float16(number).view(np.uint16))


def ends(model: Model, low: list[float], high: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """The output's interval on a box."""
    box = torch.tensor([low], dtype=torch.float64), torch.tensor([high], dtype=torch.float64)
    return propagate(model.network, box)[model.network.output]


@pytest.mark.parametrize("case", [cases[0] for cases in by_operator().values() if not cases[0].body], ids=str)
def test_an_operator_means_what_it_means_for_the_same_numbers_in_float64(case: Case) -> None:
    model = case.model()
    try:
        half = load_onnx(retyped(model, TensorProto.FLOAT16), check=not case.reference)
    except ModelError as error:
        assert any(said in str(error) for said in INVALID), error
        pytest.skip("not for float16")
    double = load_onnx(retyped(model, TensorProto.DOUBLE), check=False)
    random = np.random.default_rng(1)
    for _ in range(4):
        x = random.uniform(case.low, case.high, half.network.input_size).astype(np.float16).astype(np.float64)
        ours, theirs = (
            evaluate(without_domains(one.network), torch.from_numpy(x)).numpy() for one in (half, double)
        )
        assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("to", "kind", "most"), [(10, torch.float16, 65504.0), (16, torch.bfloat16, 3e38)])
def test_a_conversion_rounds_and_is_undefined_beyond_the_range(
    to: int, kind: torch.dtype, most: float
) -> None:
    model = load_onnx(onnx.parser.parse_model(ROUND.format(to=to)), check=to == 10)
    for x in ([0.1, 1 / 3, 1000.7], [1e-7, 3e-8, -1e-5], [most, -most, 0.0]):
        low, high = ends(model, x, x)
        there = torch.tensor(x).to(kind).double()
        assert bool(((low <= there) & (there <= high)).all())
        assert bool((high - low <= 2.0**-6 * torch.tensor(x).abs() + 2e-7).all())
    if to == 10:
        low, high = ends(model, [0.0, 0.0, 0.0], [1.0, 65600.0, 1.0])
        assert bool(torch.isinf(high - low).any())


@pytest.mark.parametrize(("operator", "real"), [("Add", 2048.0 + 1.0), ("Mul", 2048.0), ("Div", 2048.0)])
def test_constants_are_added_up_over_the_reals(operator: str, real: float) -> None:
    text = SUM.format(operator=operator, first=bits(2048.0), second=bits(1.0))
    (low,), (high,) = ends(load_onnx(onnx.parser.parse_model(text), check=False), [0.0], [0.0])
    assert low <= real <= high and high - low < 1e-9


def test_bfloat16_is_read_and_not_replayed() -> None:
    text = ROUND.format(to=16).replace("(float[1,3] x)", "(bfloat16[1,3] x)")
    model = load_onnx(onnx.parser.parse_model(text))
    assert not model.replayable and "bfloat16" in model.notes[0] and "no counterexample" in model.notes[0]
    assert element_types(model) == ["bfloat16", "float32"]
