"""RNN, LSTM and GRU against onnxruntime, and against each other where it has no kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from genbab import output_bounds
from genbab.errors import UnsupportedError
from genbab.network import Network, evaluate
from genbab.reader import Model, load_onnx

Load = Callable[..., Model]

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, MANY, WIDTH, HIDDEN = 3, 2, 3, 2


def weights(*shape: int, seed: int = 0) -> Any:
    return 0.7 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def cell(
    kind: str,
    *,
    directions: int = 1,
    given: dict[str, Any] | None = None,
    layout: int = 0,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one recurrent node with all its outputs; `given` holds its optional inputs: arrays
    (constants) or shapes (variables)."""
    optional = given or {}
    gates = GATES[kind] * HIDDEN
    values: dict[str, Any] = {
        "X": (MANY, STEPS, WIDTH) if layout else (STEPS, MANY, WIDTH),
        "W": weights(directions, gates, WIDTH, seed=1),
        "R": weights(directions, gates, HIDDEN, seed=2),
        "B": weights(directions, 2 * gates, seed=3),
        **{k: None for k in ("sequence_lens", "initial_h", "initial_c", "P")},
        **optional,
    }
    last = {"RNN": "initial_h", "GRU": "initial_h", "LSTM": "P"}[kind]
    names = list(values)
    kept = names[: names.index(last) + 1]
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, values[n])
        for n in kept
        if isinstance(values[n], tuple)
    ]
    constants = [numpy_helper.from_array(values[n], n) for n in kept if isinstance(values[n], np.ndarray)]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    options: dict[str, Any] = {"layout": layout} if layout else {}
    node = helper.make_node(
        kind,
        ["" if values[n] is None else n for n in kept],
        outputs,
        name="cell",
        hidden_size=HIDDEN,
        **options,
        **attributes,
    )
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    graph = helper.make_graph([node], "one", inputs, made, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def loaded(*arguments: Any, **options: Any) -> Model:
    model = load_onnx(cell(*arguments, **options))
    assert model.notes == (), "the self-check compared nothing"
    return model


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_directions(kind: str, direction: str) -> None:
    loaded(kind, directions=2 if direction == "bidirectional" else 1, direction=direction)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("lengths", [[3, 3], [3, 2], [1, 2]])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_sequences_that_end_early(kind: str, lengths: list[int], direction: str) -> None:
    directions = 2 if direction == "bidirectional" else 1
    given: dict[str, Any] = {"sequence_lens": np.array(lengths, np.int32)}
    given["initial_h"] = weights(directions, MANY, HIDDEN, seed=4)
    loaded(kind, directions=directions, direction=direction, given=given)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("what", ["constant", "variable"])
def test_initial_states(kind: str, what: str) -> None:
    shape = (1, MANY, HIDDEN)
    state = shape if what == "variable" else weights(*shape, seed=5)
    given: dict[str, Any] = {"initial_h": state}
    if kind == "LSTM":
        given["initial_c"] = shape if what == "variable" else weights(*shape, seed=6)
    inputs = STEPS * MANY * WIDTH + (what == "variable") * MANY * HIDDEN * len(given)
    assert loaded(kind, given=given).network.input_size == inputs
    loaded(kind, given={**given, "B": None})


@pytest.mark.parametrize("reset", [0, 1])
@pytest.mark.parametrize("names", [["Sigmoid", "Tanh"], ["HardSigmoid", "Softsign"], ["Tanh", "Relu"]])
def test_gru_options(reset: int, names: list[str]) -> None:
    given = {"initial_h": weights(1, MANY, HIDDEN, seed=4)}
    loaded("GRU", linear_before_reset=reset, activations=names)
    loaded("GRU", linear_before_reset=reset, activations=names, given=given)


@pytest.mark.parametrize("coupled", [0, 1])
@pytest.mark.parametrize("peepholes", [False, True])
def test_lstm_options(coupled: int, peepholes: bool) -> None:
    given = {"initial_c": weights(1, MANY, HIDDEN, seed=4)}
    if peepholes:
        given["P"] = weights(1, 3 * HIDDEN, seed=7)
    loaded("LSTM", input_forget=coupled, given=given)


@pytest.mark.parametrize("kind", GATES)
def test_clipping(kind: str) -> None:
    loaded(kind, clip=0.4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Relu", ()),
        ("Softplus", ()),
        ("Softsign", ()),
        ("Affine", (0.6, 0.2)),
        ("LeakyRelu", (0.3,)),
        ("ThresholdedRelu", (0.2,)),
        ("ScaledTanh", (0.8, 0.5)),
        ("HardSigmoid", (0.3, 0.4)),
        ("Elu", (0.7,)),
        ("Elu", ()),
        ("HardSigmoid", ()),
    ],
)
def test_activations(name: str, parameters: tuple[float, ...]) -> None:
    lists = {f"activation_{k}": [v] for k, v in zip(("alpha", "beta"), parameters, strict=False)}
    loaded("RNN", activations=[name], **lists)


def test_parameters_go_to_those_that_need_them_in_turn() -> None:
    names = ["Sigmoid", "LeakyRelu", "Elu", "HardSigmoid", "Tanh", "Elu"]
    alphas, betas = [0.3, 0.6, 0.1, 0.9], [0.4]
    options = {"activations": names, "activation_alpha": alphas, "activation_beta": betas}
    loaded("LSTM", directions=2, direction="bidirectional", **options)


def values(network: Network, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = evaluate(network, torch.from_numpy(x.reshape(-1))).numpy()
    return made


@pytest.mark.parametrize("kind", GATES)
def test_batch_first_is_the_same_with_axes_exchanged(kind: str) -> None:
    """onnxruntime has no kernel for layout 1."""
    plain = load_onnx(cell(kind, directions=2, direction="bidirectional"))
    first = load_onnx(cell(kind, directions=2, direction="bidirectional", layout=1), check=False)
    x = np.random.default_rng(0).standard_normal((STEPS, MANY, WIDTH))
    ours, wanted = values(first.network, x.swapaxes(0, 1)), values(plain.network, x)
    start = 0
    for shape, axes in zip(plain.output_shapes, [(2, 0, 1, 3), (1, 0, 2), (1, 0, 2)], strict=False):
        size = int(np.prod(shape))
        part = wanted[start : start + size].reshape(shape).transpose(axes)
        assert np.allclose(ours[start : start + size], part.reshape(-1), rtol=0, atol=1e-15)
        start += size


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("method", ["interval", "forward", "backward", "optimised"])
def test_bounds_hold_what_sampling_reaches(kind: str, method: str) -> None:
    model = loaded(
        kind, directions=2, direction="bidirectional", given={"sequence_lens": np.array([3, 2], np.int32)}
    )
    random = np.random.default_rng(1)
    centre, radius = random.standard_normal(STEPS * MANY * WIDTH), 0.3
    low, high = output_bounds(model, centre - radius, centre + radius, method=method)
    points = centre + radius * random.uniform(-1, 1, (300, centre.size)).clip(-0.7, 0.7) / 0.7
    seen = evaluate(model.network, torch.from_numpy(points))
    assert bool((low <= seen + 1e-12).all() and (seen <= high + 1e-12).all())
    assert bool((high - low <= (12 if method == "interval" else 2)).all()), "the outputs lie in -1 .. 1"


def test_every_product_of_a_gate_is_seen_as_one() -> None:
    """x · sigmoid(y) is bounded as one function of two arguments, never as a product of two relaxed ones."""
    for kind in ("LSTM", "GRU"):
        assert "product" not in loaded(kind).functions


def test_what_has_no_rule_is_said() -> None:
    with pytest.raises(UnsupportedError, match="its weight W depends on the network's input"):
        load_onnx(cell("RNN", given={"W": (1, HIDDEN, WIDTH)}))
    with pytest.raises(UnsupportedError, match="its activation 'Gelu'"):
        load_onnx(cell("RNN", activations=["Gelu"]))
    with pytest.raises(UnsupportedError, match=r"lengths \[3, 4\]"):
        load_onnx(cell("RNN", given={"sequence_lens": np.array([3, 4], np.int32)}))
