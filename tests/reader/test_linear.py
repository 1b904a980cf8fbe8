"""Matrix products, reductions, softmax and normalisation against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genbab.reader import Model
from genbab.reader.lower.layers import softmax

Load = Callable[..., Model]


def weights(*shape: int) -> Any:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 4), weights(4, 3)),
        ((1, 2, 4), weights(4, 3)),
        ((2, 3, 2, 4), weights(3, 4, 2)),
        ((4,), weights(4, 3)),
        ((2, 4), weights(4)),
        (weights(3, 4), (4, 2)),
        (weights(3, 4), (2, 4, 2)),
        (weights(2, 3, 4), (4, 2)),
        (weights(4), (4, 2)),
        (weights(3, 4), (4,)),
        ((2, 3), (3, 4)),
        ((2, 1, 3, 2), (1, 3, 2, 3)),
        ((3,), (3, 2)),
        ((3,), (3,)),
        ((1, 2, 3), weights(1, 1, 3, 2)),
    ],
)
def test_matmul(lowered: Load, left: Any, right: Any) -> None:
    model = lowered("MatMul", left, right)
    constant = not (isinstance(left, tuple) and isinstance(right, tuple))
    assert set(model.functions) == (set() if constant else {"product"})


@pytest.mark.parametrize("turned", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("offset", [None, weights(3), weights(2, 1), (2, 3)])
def test_gemm(lowered: Load, turned: tuple[int, int], offset: Any) -> None:
    left, right = ((4, 2) if turned[0] else (2, 4)), ((3, 4) if turned[1] else (4, 3))
    options = {"transA": turned[0], "transB": turned[1], "alpha": 0.5, "beta": 2.0}
    lowered("Gemm", left, weights(*right), offset, **options)
    lowered("Gemm", weights(*left), right, offset, **options)
    lowered("Gemm", left, right, offset, **options)


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("bhid,bhjd->bhij", (1, 2, 3, 4), (1, 2, 2, 4)),
        ("bij,bjk->bik", (2, 2, 3), weights(2, 3, 2)),
        ("bnd,df->bnf", (1, 3, 4), weights(4, 5)),
        ("df,bnd->bfn", weights(4, 5), (1, 3, 4)),
        ("ij,kl->ilkj", (2, 3), weights(2, 2)),
        ("ijk,il->kl", (2, 3, 2), (2, 4)),
        ("ij,ij", (2, 3), (2, 3)),
        ("ijk->ki", (2, 3, 4), None),
    ],
)
def test_einsum(lowered: Load, equation: str, left: Any, right: Any) -> None:
    lowered("Einsum", *(v for v in (left, right) if v is not None), equation=equation)


REDUCTIONS = "Sum Mean Max Min L1 L2 SumSquare LogSum LogSumExp Prod".split()


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize(
    ("axes", "keep"), [(None, 1), ([1], 0), ([-1, 1], 1), ([2, 0], 0)], ids=["all", "one", "two", "outer"]
)
def test_reductions(lowered: Load, kind: str, axes: list[int] | None, keep: int) -> None:
    options: dict[str, Any] = {"keepdims": keep} | ({} if axes is None else {"axes": axes})
    lowered(f"Reduce{kind}", (1, 3, 2), **options, opset=11)
    extra = [] if axes is None else [np.array(axes)]
    lowered(f"Reduce{kind}", (1, 3, 2), *extra, keepdims=keep, opset=18)


def test_reduction_that_does_nothing(lowered: Load) -> None:
    lowered("ReduceSum", (1, 3), np.zeros(0, np.int64), noop_with_empty_axes=1)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("limit", [0, 10**6])
def test_softmax(
    lowered: Load, monkeypatch: pytest.MonkeyPatch, kind: str, axis: int, opset: int, limit: int
) -> None:
    monkeypatch.setattr(softmax, "PAIRS_LIMIT", limit)
    monkeypatch.setattr(softmax, "DIFFERENCES", limit)
    lowered(kind, (3, 1, 4), axis=axis, opset=opset)
    lowered(kind, (2, 2, 3), axis=axis, opset=opset)


def test_softmax_of_two_is_a_sigmoid(lowered: Load) -> None:
    assert lowered("Softmax", (3, 2)).functions == {"sigmoid": 3}
    assert lowered("LogSoftmax", (3, 2)).functions == {"softplus": 6}


def test_normalisation(lowered: Load) -> None:
    parameters = [weights(3), weights(3), weights(3), np.abs(weights(3)) + 0.1]
    for shape in ((1, 3), (1, 3, 4), (1, 3, 2, 2)):
        model = lowered("BatchNormalization", shape, *parameters, epsilon=1e-3, opset=15)
        assert len(model.network.nodes) == 2
    lowered("InstanceNormalization", (1, 3, 2, 2), *parameters[:2])
    lowered("LayerNormalization", (1, 2, 3), weights(3), weights(3))
    lowered("LayerNormalization", (1, 2, 3), weights(2, 3), axis=1)
    lowered("LayerNormalization", (1, 2, 3), weights(3), None, epsilon=1e-2)
    lowered("GroupNormalization", (1, 4, 3), weights(4), weights(4), num_groups=2, opset=21)
    lowered("MeanVarianceNormalization", (1, 3, 4), axes=[2])


def test_batch_norm_is_folded_into_a_convolution(written: Load) -> None:
    model = written(
        "s = Constant<value=int64[4] {2, 1, 2, 2}>() w = ConstantOfShape<value=float[1] {0.3}>(s) "
        "one = Constant<value=float[2] {0.5, 2.0}>() c = Conv(x, w) "
        "b = BatchNormalization(c, one, one, one, one) y = Relu(b)",
        shape="1,1,20,20",
    )
    assert len(model.network.nodes) == 3
    assert type(model.network.nodes[1].terms[0][1]).__name__ in ("Conv", "Dense")  # type: ignore[union-attr]
