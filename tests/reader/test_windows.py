"""Convolutions and pooling against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genbab.errors import UnsupportedError
from genbab.reader import Model

Load = Callable[..., Model]


def weights(*shape: int) -> Any:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


CONVS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 7), (3, 2, 3), {}),
    ((1, 2, 5, 6), (3, 2, 3, 2), {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ((1, 2, 5, 6), (3, 2, 3, 3), {"pads": [0, 1, 2, 0], "strides": [1, 2]}),
    ((1, 4, 6, 6), (4, 2, 3, 3), {"group": 2, "dilations": [2, 1]}),
    ((1, 3, 6, 5), (3, 1, 3, 3), {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((1, 2, 6, 5), (3, 2, 4, 2), {"auto_pad": "SAME_LOWER"}),
    ((1, 2, 6, 5), (3, 2, 4, 2), {"auto_pad": "VALID"}),
    ((2, 2, 5, 5), (3, 2, 3, 3), {"pads": [1, 1, 1, 1]}),
    ((1, 2, 4, 4, 3), (2, 2, 2, 3, 2), {"strides": [2, 1, 1]}),
]


@pytest.mark.parametrize(("image", "kernel", "options"), CONVS)
def test_conv(
    lowered: Load, image: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any]
) -> None:
    lowered("Conv", image, weights(*kernel), **options)
    model = lowered("Conv", image, weights(*kernel), weights(kernel[0]), **options)
    assert len(model.network.nodes) == 2


TRANSPOSED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 5), (2, 3, 4), {"strides": [2]}),
    ((1, 2, 3, 4), (2, 3, 3, 3), {}),
    ((1, 2, 3, 4), (2, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 3], "pads": [0, 1, 2, 0], "output_padding": [1, 0]}),
    ((1, 4, 3, 4), (4, 3, 3, 2), {"group": 2, "dilations": [2, 1]}),
    ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "output_shape": [8, 8]}),
    ((2, 2, 3, 3), (2, 1, 2, 2), {"strides": [2, 2]}),
]


@pytest.mark.parametrize(("image", "kernel", "options"), TRANSPOSED)
def test_conv_transpose(lowered: Load, image: tuple[int, ...], kernel: tuple[int, ...], options: Any) -> None:
    lowered("ConvTranspose", image, weights(*kernel), **options)
    bias = weights(kernel[1] * options.get("group", 1))
    lowered("ConvTranspose", image, weights(*kernel), bias, **options)


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 3], "strides": [3, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [1, 2], "auto_pad": "SAME_LOWER"},
]


@pytest.mark.parametrize("options", POOLS)
def test_pools(lowered: Load, options: dict[str, Any]) -> None:
    assert set(lowered("MaxPool", (1, 2, 6, 7), **options).functions) == {"relu"}
    assert lowered("AveragePool", (1, 2, 6, 7), opset=11, **options).functions == {}
    assert lowered("AveragePool", (1, 2, 6, 7), opset=11, count_include_pad=1, **options).functions == {}


def test_other_pools(lowered: Load) -> None:
    lowered("MaxPool", (1, 2, 9), kernel_shape=[3], dilations=[2], strides=[2])
    lowered("MaxPool", (1, 1, 4, 4, 4), kernel_shape=[2, 2, 2])
    lowered("AveragePool", (1, 2, 9), kernel_shape=[4], strides=[3])
    lowered("AveragePool", (1, 1, 8, 8), kernel_shape=[2, 2], dilations=[3, 2], opset=19)
    lowered("GlobalAveragePool", (1, 3, 4, 2))
    lowered("GlobalMaxPool", (1, 3, 4, 2))


def test_a_kernel_that_varies_is_refused(lowered: Load) -> None:
    with pytest.raises(UnsupportedError, match="kernel depends"):
        lowered("Conv", (1, 2, 4, 4), (2, 2, 3, 3))
