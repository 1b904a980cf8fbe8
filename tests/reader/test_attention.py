"""The attention operators of ONNX against onnxruntime."""

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
from genbab.network import evaluate
from genbab.reader import Model, load_onnx

Load = Callable[..., Model]

MANY, HEADS, QUERIES, KEYS, WIDTH = 2, 2, 2, 3, 2


def weights(*shape: int, seed: int = 0) -> Any:
    return 0.7 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def attention(
    *,
    given: dict[str, Any] | None = None,
    opset: int = 23,
    outputs: tuple[str, ...] = ("Y",),
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one Attention node; inputs are shapes (variables), arrays (constants) or None (left out)."""
    values: dict[str, Any] = {
        "Q": (MANY, HEADS, QUERIES, WIDTH),
        "K": (MANY, HEADS, KEYS, WIDTH),
        "V": (MANY, HEADS, KEYS, WIDTH),
        **{k: None for k in ("attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")[: 3 + (opset > 23)]},
        **(given or {}),
    }
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, v)
        for n, v in values.items()
        if isinstance(v, tuple)
    ]
    constants = [numpy_helper.from_array(v, n) for n, v in values.items() if isinstance(v, np.ndarray)]
    names = ["" if v is None else n for n, v in values.items()]
    node = helper.make_node("Attention", names, list(outputs), name="attention", **attributes)
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs if n]
    graph = helper.make_graph([node], "one", inputs, made, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=11)


def loaded(**options: Any) -> Model:
    model = load_onnx(attention(**options))
    assert model.notes == (), "the self-check compared nothing"
    return model


BOOLEAN = np.array([[True, False, True], [False, True, True]])
FLOAT = np.array([[0.3, -np.inf, 0.1], [-0.2, 0.4, -np.inf]], np.float32)
FAR = np.array([[0.3, np.finfo(np.float32).min, 0.1], [-0.2, 0.4, -1e4]], np.float32)


@pytest.mark.parametrize("mask", [None, BOOLEAN, FLOAT, FAR, weights(HEADS, QUERIES, KEYS)])
@pytest.mark.parametrize("causal", [0, 1])
def test_masks(mask: Any, causal: int) -> None:
    loaded(given={"attn_mask": mask}, is_causal=causal)


def test_a_mask_that_depends_on_the_input_is_added() -> None:
    model = loaded(given={"attn_mask": (QUERIES, KEYS)})
    assert model.network.input_size == MANY * HEADS * (QUERIES + 2 * KEYS) * WIDTH + QUERIES * KEYS


@pytest.mark.parametrize("options", [{"scale": 0.3}, {"softcap": 0.5}, {"scale": 1.5, "softcap": 2.0}])
@pytest.mark.parametrize("mask", [None, FLOAT])
def test_scale_and_cap(options: dict[str, float], mask: Any) -> None:
    loaded(given={"attn_mask": mask}, **options)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_heads_side_by_side_and_shared(heads: int) -> None:
    """Three axes; four heads of queries share one, two or four heads of keys."""
    given = {"Q": (MANY, QUERIES, 4 * WIDTH), "K": (MANY, KEYS, heads * WIDTH), "V": (MANY, KEYS, heads * 3)}
    loaded(given=given, q_num_heads=4, kv_num_heads=heads, is_causal=1)
    keys = {"K": (MANY, heads, KEYS, WIDTH), "V": (MANY, heads, KEYS, 3)}
    loaded(given={"Q": (MANY, 4, QUERIES, WIDTH), **keys})


@pytest.mark.parametrize("causal", [0, 1])
def test_past_keys_and_all_outputs(causal: int) -> None:
    past = (MANY, HEADS, 2, WIDTH)
    given = {"past_key": weights(*past), "past_value": weights(*past, seed=1)}
    outputs = ("Y", "present_key", "present_value")
    model = loaded(given=given, outputs=outputs, is_causal=causal)
    assert model.output_shapes[1] == (MANY, HEADS, 2 + KEYS, WIDTH)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_the_scores_as_an_output(mode: int) -> None:
    finite = weights(QUERIES, KEYS)
    options: dict[str, Any] = {"outputs": ("Y", "", "", "S"), "qk_matmul_output_mode": mode, "softcap": 0.7}
    loaded(given={"attn_mask": finite}, **options)


def test_keys_that_are_padding() -> None:
    loaded(given={"nonpad_kv_seqlen": np.array([3, 2])}, opset=24)


def test_what_no_query_sees_is_zero() -> None:
    mask = np.array([[False, False, False], [True, True, False]])
    model = load_onnx(attention(given={"attn_mask": mask}), check=False)
    x = torch.randn(model.network.input_size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = evaluate(model.network, x).reshape(MANY, HEADS, QUERIES, WIDTH)
    assert not bool(y[:, :, 0].any()) and bool(y[:, :, 1].all())


def test_constant_keys_and_values() -> None:
    shape = (MANY, HEADS, KEYS, WIDTH)
    model = loaded(given={"K": weights(*shape), "V": weights(*shape, seed=1)}, is_causal=1)
    assert "product" not in model.functions
    loaded(given={"Q": weights(MANY, HEADS, QUERIES, WIDTH), "K": weights(*shape)})


@pytest.mark.parametrize("method", ["interval", "backward", "optimised"])
def test_bounds_hold_what_sampling_reaches(method: str) -> None:
    model = loaded(given={"attn_mask": FLOAT}, softcap=2.0)
    random = np.random.default_rng(1)
    centre, radius = random.standard_normal(model.network.input_size), 0.1
    low, high = output_bounds(model, centre - radius, centre + radius, method=method)
    points = centre + radius * random.uniform(-1.4, 1.4, (300, centre.size)).clip(-1, 1)
    seen = evaluate(model.network, torch.from_numpy(points))
    assert bool((low <= seen + 1e-12).all() and (seen <= high + 1e-12).all())
    assert bool(torch.isfinite(high - low).all())


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("width", [0, 4])
@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("numbered", [True, False])
def test_rotary(lowered: Load, interleaved: int, width: int, rank: int, numbered: bool) -> None:
    angles = np.random.default_rng(0).uniform(0, 6, (5, 2 if width else 3)).astype(np.float32)
    at = np.array([[0, 1, 2], [2, 0, 4]])
    if not numbered:
        angles, at = angles[at], None  # type: ignore[assignment]
    options: dict[str, Any] = {"num_heads": 2} if rank == 3 else {}
    options |= {"rotary_embedding_dim": width} if width else {}
    if width and rank == 4:
        options["num_heads"] = 2  # onnxruntime wants it for a part of the width
    shape = (2, 3, 12) if rank == 3 else (2, 2, 3, 6)
    rotated = lowered(
        "RotaryEmbedding",
        shape,
        np.cos(angles),
        np.sin(angles),
        at,
        opset=23,
        interleaved=interleaved,
        **options,
    )
    assert rotated.functions == {}


def test_what_has_no_rule_is_said() -> None:
    proto = attention()
    proto.graph.node[0].op_type, proto.graph.node[0].domain = "MultiHeadAttention", "com.microsoft"
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(UnsupportedError, match="MultiHeadAttention.*operators of 'com.microsoft'"):
        load_onnx(proto)
    options: dict[str, Any] = {"outputs": ("Y", "", "", "S"), "qk_matmul_output_mode": 2}
    with pytest.raises(UnsupportedError, match="scores with entries of minus infinity"):
        load_onnx(attention(given={"attn_mask": FLOAT}, **options))
