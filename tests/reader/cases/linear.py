"""Matrix products, einsum, convolutions and interpolation."""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.reader.cases.case import Case, case, ints, weights, written


def interpolations() -> list[Case]:
    """Resize in all its modes, enlarging and shrinking."""
    found = []
    modes = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    for mode, where in product(("nearest", "linear", "cubic"), modes):
        options = {"mode": mode, "coordinate_transformation_mode": where}
        up, down = np.array([1, 1, 2, 1.5], np.float32), ints(1, 1, 2, 1)
        found.append(case("Resize", (1, 1, 2, 4), None, up, **options))
        found.append(case("Resize", (1, 1, 3, 3), None, None, down, **options))
    rounding = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    scales = np.array([1, 1, 1.5], np.float32)
    found += [case("Resize", (1, 1, 4), None, scales, mode="nearest", nearest_mode=r) for r in rounding]
    larger = np.array([1, 1, 2, 1.5], np.float32)
    found += [
        case("Resize", (1, 1, 2, 4), None, larger, mode="cubic", exclude_outside=1),
        case("Resize", (1, 1, 2, 4), None, larger, mode="cubic", cubic_coeff_a=-0.5),
        case(
            "Resize", (1, 1, 2, 4), None, None, ints(3, 5), opset=18, mode="linear", axes=[2, 3],
            keep_aspect_ratio_policy="not_larger",
        ),
        case(
            "Resize", (1, 1, 2, 4), None, None, ints(3, 5), opset=18, mode="linear", axes=[2, 3],
            keep_aspect_ratio_policy="not_smaller",
        ),
        case(
            "Resize", (1, 1, 2, 4), None, np.array([1, 1, 0.6, 0.8], np.float32), opset=19, mode="linear",
            coordinate_transformation_mode="half_pixel_symmetric",
        ),
        case("Resize", (1, 1, 2, 3), np.array([1, 1, 2, 2], np.float32), opset=10, mode="linear"),
        case("Upsample", (1, 1, 2, 3), np.array([1, 1, 2, 2], np.float32), opset=9, mode="linear"),
        case("Upsample", (1, 1, 2, 3), np.array([1, 1, 2, 3], np.float32), opset=9),
    ]  # fmt: skip
    return found


def filtered() -> list[Case]:
    """Resize with antialias=1, of parts of the image, and to a size that stays."""
    found = []
    for mode, inside in (("linear", 0), ("cubic", 0), ("cubic", 1)):
        options = {"mode": mode, "opset": 19, "antialias": 1, "exclude_outside": inside}
        for scales in ((0.6, 0.5), (1.7, 0.35), (1.2, 0.3)):
            found.append(case("Resize", (1, 1, 4, 7), None, np.array([1, 1, *scales], np.float32), **options))
    part = np.array([0.1, 0.3, 0.8, 1.3], np.float32)
    for mode, smooth in (("nearest", 0), ("linear", 0), ("cubic", 0), ("linear", 1), ("cubic", 1)):
        options = {"mode": mode, "opset": 19, "antialias": smooth, "extrapolation_value": 1.5}
        where = {"coordinate_transformation_mode": "tf_crop_and_resize", "axes": [2, 3]}
        found.append(case("Resize", (1, 1, 4, 6), part, None, ints(3, 4), **options, **where))
        found.append(case("Resize", (1, 1, 4, 6), part, None, ints(1, 9), **options, **where))
    same = np.array([1, 1, 1, 1.1], np.float32)
    found += [case("Resize", (1, 1, 2, 4), None, same, mode="linear")]
    return found


def samples() -> list[Case]:
    """GridSample in all its modes, on points inside and outside the image."""
    grid = (np.random.default_rng(3).random((1, 2, 3, 2)) * 3 - 1.5).astype(np.float32)
    found = []
    for mode, padding, corners in product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1)
    ):
        options = {"mode": mode, "padding_mode": padding, "align_corners": corners}
        found.append(case("GridSample", (1, 2, 3, 4), grid, opset=16, **options))
    whole = (np.random.default_rng(4).random((1, 1, 2, 2, 3)) * 2.4 - 1.2).astype(np.float32)
    found.append(case("GridSample", (1, 1, 2, 2, 3), whole, opset=20, mode="linear"))
    for corners, padding in product((0, 1), ("zeros", "border")):
        options = {"mode": "linear", "align_corners": corners, "padding_mode": padding, "opset": 20}
        found.append(case("GridSample", weights(1, 2, 2, 3), (1, 1, 3, 2), low=-1.5, high=1.5, **options))
    found.append(case("GridSample", (2, 1, 2, 2), (2, 1, 2, 2), opset=20, low=-1.5, high=1.5))
    found.append(case("GridSample", weights(1, 1, 2, 1, 2), (1, 1, 1, 2, 3), opset=20))
    return found


THETA = "t = Constant<value=float[1,2,3] {0.8, 0.1, 0, -0.2, 0.9, 0.1}>() "

CASES = [
    case("MatMul", (2, 3), weights(3, 2)),
    case("MatMul", weights(2, 3), (3,)),
    case("MatMul", (2, 1, 3), weights(2, 3, 2)),
    case("MatMul", (2, 2), (2, 2)),
    case("Gemm", (2, 3), weights(2, 3), weights(2), transB=1, alpha=0.5, beta=2.0),
    case("Gemm", (3, 2), weights(3, 2), transA=1),
    case("Einsum", (2, 3), weights(3, 2), equation="ij,jk->ik"),
    case("Einsum", (2, 3), (2, 3), equation="ij,ij->i"),
    case("Einsum", (1, 2, 2), (1, 2, 2), equation="bij,bkj->bik"),
    case("Einsum", (2, 3), equation="ij->ji"),
    case("Einsum", (3, 3), equation="ii->i"),
    case("Einsum", (3, 3), equation="ii"),
    case("Einsum", (2, 2, 3), weights(3), equation="...i,i->..."),
    case("Einsum", (2, 1, 2), weights(2, 3, 2), equation="...ij,...kj->...ik"),
    case("Einsum", (2,), (2,), weights(2), equation="i,i,i->i"),
    case("Einsum", (2,), (2,), weights(2, 2), equation="i,j,ij->"),
    case("Einsum", (2, 3), weights(3, 2), equation="ij,jk"),
    case("Conv", (1, 2, 5), weights(3, 2, 3), weights(3)),
    case("Conv", (1, 2, 4, 3), weights(3, 2, 3, 2), pads=[1, 1, 0, 1], strides=[2, 1]),
    case("Conv", (1, 4, 4, 4), weights(4, 2, 2, 2), weights(4), group=2, dilations=[2, 1]),
    case("Conv", (1, 2, 4, 3), weights(2, 2, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", (1, 2, 4, 3), weights(2, 2, 2, 2), auto_pad="SAME_LOWER"),
    case("Conv", (1, 1, 3, 3, 2), weights(2, 1, 2, 2, 2), weights(2)),
    case("ConvTranspose", (1, 2, 4), weights(2, 2, 3), weights(2), strides=[2], output_padding=[1]),
    case("ConvTranspose", (1, 2, 2, 3), weights(2, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", (1, 4, 2, 3), weights(4, 2, 2, 2), weights(4), group=2, dilations=[2, 1]),
    case("ConvTranspose", (1, 2, 2, 3), weights(2, 1, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", (1, 2, 2, 3), weights(2, 1, 3, 3), strides=[2, 2], output_shape=[5, 6]),
    case("ConvTranspose", (1, 1, 2, 2, 2), weights(1, 2, 2, 2, 2), strides=[1, 2, 1]),
    *interpolations(),
    *filtered(),
    *samples(),
    written(
        "AffineGrid",
        THETA + "s = Constant<value=int64[4] {1, 1, 2, 3}>() g = AffineGrid(t, s) y = GridSample(x, g)",
        "1,1,3,3",
        opset=20,
    ),
]
