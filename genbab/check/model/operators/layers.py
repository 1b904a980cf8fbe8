"""Operators that multiply and add: affine layers, products, normalisation, maxima of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.functions.formula import apply, argument, times
from genbab.check.intervals import Array
from genbab.check.model.maps import Convolution, Map, Transposed
from genbab.check.model.operators.activations import largest
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.program import MOST_ENTRIES, Fixed, Program, Tensor, Term, Wire, centred, moved, real

X = argument()


def added(node: Node) -> Tensor:
    """The sum of all inputs."""
    total = node.tensor()
    for i in range(1, len(node.inputs)):
        total = node.program.sum(total, node.tensor(i))
    return total


def _sum(node: Node) -> Sequence[Tensor]:
    return [added(node)]


def _difference(node: Node) -> Sequence[Tensor]:
    return [node.program.sum(node.tensor(0), node.tensor(1), -1.0)]


def _negative(node: Node) -> Sequence[Tensor]:
    return [node.program.scale(node.wire(), exactly(-1.0))]


def exactly(value: float) -> Fixed:
    """A constant."""
    array = np.asarray(value, dtype=np.float64)
    return Fixed(array, array)


def inverse_of(node: Node, x: Tensor) -> Tensor:
    """The reciprocals."""
    if isinstance(x, Wire):
        return node.program.elementwise(apply("inverse", X), [x])
    low, high = real(x)
    if ((low <= 0) & (high >= 0)).any():
        raise node.fail("a division by 0")
    ends = np.nextafter(1.0 / high, -np.inf), np.nextafter(1.0 / low, np.inf)
    exact = (low == high) & (np.abs(np.frexp(low)[0]) == 0.5)  # powers of two
    return Fixed(np.where(exact, 1.0 / low, ends[0]), np.where(exact, 1.0 / low, ends[1]))


def multiplied(program: Program, a: Tensor, b: Tensor) -> Wire:
    """Products of entries; one tensor varies at least."""
    if isinstance(b, Fixed):
        a, b = b, a
    assert isinstance(b, Wire)
    if isinstance(a, Fixed):
        return program.scale(b, a)
    shape = np.broadcast_shapes(a.shape, b.shape)
    wide_a, wide_b = program.broadcast(a, shape), program.broadcast(b, shape)
    assert isinstance(wide_a, Wire) and isinstance(wide_b, Wire)
    if wide_a == wide_b:
        return program.elementwise(times(X, X), [wide_a])
    return program.elementwise(times(X, argument(1)), [wide_a, wide_b])


def _product(node: Node) -> Sequence[Tensor]:
    return [multiplied(node.program, node.tensor(0), node.tensor(1))]


def _quotient(node: Node) -> Sequence[Tensor]:
    return [multiplied(node.program, node.tensor(0), inverse_of(node, node.tensor(1)))]


def _gemm(node: Node) -> Sequence[Tensor]:
    program, a, b = node.program, node.tensor(0), node.tensor(1)
    a = moved(program, a, lambda v: v.T) if node.get("transA", 0) else a
    b = moved(program, b, lambda v: v.T) if node.get("transB", 0) else b
    result = matmul(node, a, b)
    if node.get("alpha", 1.0) != 1.0:
        result = program.scale(result, exactly(node.real("alpha", 1.0)))
    bias, beta = node.optional(2), node.real("beta", 1.0)
    if bias is None or beta == 0:
        return [result]
    if beta != 1.0:
        bias = multiplied(program, bias, _varying(program, exactly(beta)))
    return [program.sum(result, bias)]


def _varying(program: Program, x: Fixed) -> Wire:
    return program.affine([], x.shape, real(x))


def _matmul(node: Node) -> Sequence[Tensor]:
    return [matmul(node, node.tensor(0), node.tensor(1))]


def matmul(node: Node, a: Tensor, b: Tensor) -> Wire:
    """The matrix product: by one matrix along an axis, or products of entries and their sums."""
    program, flat = node.program, (len(a.shape) == 1, len(b.shape) == 1)
    if flat[0]:
        a = moved(program, a, lambda v: v[None, :])
    if flat[1]:
        b = moved(program, b, lambda v: v[:, None])
    if not a.shape or not b.shape or a.shape[-1] != b.shape[-2]:
        raise node.fail(f"shapes {list(a.shape)} and {list(b.shape)}")
    if isinstance(b, Fixed) and isinstance(a, Wire) and math.prod(b.shape[:-2]) == 1:
        lead = (1,) * max(len(b.shape) - len(a.shape), 0)
        wide = program.move(a, lambda v: v.reshape(*lead, *v.shape))
        two = moved(program, b, lambda v: v.reshape(v.shape[-2:]))
        assert isinstance(two, Fixed)
        result = program.matrix(wide, two, len(wide.shape) - 1)
    elif isinstance(a, Fixed) and isinstance(b, Wire) and math.prod(a.shape[:-2]) == 1:
        lead = (1,) * max(len(a.shape) - len(b.shape), 0)
        wide = program.move(b, lambda v: v.reshape(*lead, *v.shape))
        two = moved(program, a, lambda v: v.reshape(v.shape[-2:]).T)
        assert isinstance(two, Fixed)
        result = program.matrix(wide, two, len(wide.shape) - 2)
    else:
        if math.prod(a.shape) * b.shape[-1] > MOST_ENTRIES or math.prod(b.shape) * a.shape[-2] > MOST_ENTRIES:
            raise node.fail("more products than are read")
        rows = moved(program, a, lambda v: np.expand_dims(v, -2))
        columns = moved(program, b, lambda v: np.expand_dims(v.swapaxes(-1, -2), -3))
        products = multiplied(program, rows, columns)
        result = program.total(products, [len(products.shape) - 1], keep=False)
        program.products[result.step] = products
    axes = tuple(axis for axis, one in ((-2, flat[0]), (-1, flat[1])) if one)
    return program.move(result, lambda v: np.squeeze(v, axes))


def window(node: Node, space: Sequence[int], kernel: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Strides, dilations, pads before and pads after of a convolution or pool."""
    n = len(space)
    strides = tuple(int(v) for v in node.get("strides", [1] * n))
    dilations = tuple(int(v) for v in node.get("dilations", [1] * n))
    pads = [int(v) for v in node.get("pads", [0] * 2 * n)]
    automatic = node.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        reach = (d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
        need = [max((-(-m // s) - 1) * s + r - m, 0) for m, s, r in zip(space, strides, reach, strict=True)]
        small, big = [v // 2 for v in need], [v - v // 2 for v in need]
        pads = small + big if automatic == b"SAME_UPPER" else big + small
    elif automatic == b"VALID":
        pads = [0] * 2 * n
    sizes = {len(v) for v in (kernel, strides, dilations, pads[:n], pads[n:])}
    if (
        sizes != {n}
        or min(pads) < 0
        or min(*strides, *dilations, *kernel) < 1
        or max(*pads, *kernel) > 1 << 16
    ):
        raise node.fail("strides, dilations, pads or kernel")
    return strides, dilations, tuple(pads[:n]), tuple(pads[n:])


def _with_maps(node: Node, x: Wire, maps: tuple[Map, Map | None], shape: Sequence[int], bias: int) -> Wire:
    """A layer of channels, with its bias if the node has one."""
    result = node.program.affine([Term(x.step, *maps)], shape)
    if node.optional(bias) is None:
        return result
    added = moved(node.program, node.tensor(bias), lambda v: v.reshape(1, -1, *[1] * (len(shape) - 2)))
    return node.program.sum(result, added)


def single(node: Node) -> Wire:
    """The input of a layer of channels: one image."""
    x = node.wire()
    if len(x.shape) < 3 or x.shape[0] != 1:
        raise node.fail(f"a tensor of shape {list(x.shape)}; one image with channels is accepted")
    return x


def _convolution(node: Node) -> Sequence[Tensor]:
    x, kernel = single(node), node.fixed(1)
    groups = int(node.get("group", 1))
    if (
        len(kernel.shape) != len(x.shape)
        or kernel.shape[1] * groups != x.shape[1]
        or kernel.shape[0] % groups
    ):
        raise node.fail(f"a kernel of shape {list(kernel.shape)} on {list(x.shape)}")
    strides, dilations, before, after = window(node, x.shape[2:], kernel.shape[2:])
    pads = tuple(zip(before, after, strict=True))
    centre, radius = centred(real(kernel))

    def map_(weight: Array) -> Convolution:
        return Convolution(x.shape[1:], weight, groups, strides, dilations, pads)

    main = map_(centre)
    if min(main.space) < 1:
        raise node.fail("a kernel larger than the image")
    maps = main, map_(radius) if radius.any() else None
    return [_with_maps(node, x, maps, (1, kernel.shape[0], *main.space), 2)]


def _transposed(node: Node) -> Sequence[Tensor]:
    x, kernel = single(node), node.fixed(1)
    groups = int(node.get("group", 1))
    if len(kernel.shape) != len(x.shape) or kernel.shape[0] != x.shape[1] or x.shape[1] % groups:
        raise node.fail(f"a kernel of shape {list(kernel.shape)} on {list(x.shape)}")
    if node.get("auto_pad", b"NOTSET") != b"NOTSET" or node.get("output_shape", None) is not None:
        raise node.fail("auto_pad or output_shape")
    strides, dilations, before, after = window(node, x.shape[2:], kernel.shape[2:])
    more = node.get("output_padding", [0] * len(strides))
    space = tuple(
        s * (n - 1) + extra + d * (k - 1) + 1 - a - b
        for s, n, extra, d, k, a, b in zip(
            strides, x.shape[2:], more, dilations, kernel.shape[2:], before, after, strict=True
        )
    )
    pads = tuple(zip(before, after, strict=True))
    channels = kernel.shape[1] * groups
    centre, radius = centred(real(kernel))

    def map_(weight: Array) -> Map:
        inner = Convolution((channels, *space), weight, groups, strides, dilations, pads)
        if inner.space != x.shape[2:]:
            raise node.fail("an output padding of a stride or more")
        return Transposed(inner)

    maps = map_(centre), map_(radius) if radius.any() else None
    return [_with_maps(node, x, maps, (1, channels, *space), 2)]


def _batch_normal(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    by_entry = not node.get("spatial", 1)
    if node.get("training_mode", 0) or (by_entry and node.opset >= 9):
        raise node.fail("training mode, or statistics of each entry in an opset that has no such")
    scale, shift, mean, variance = (node.fixed(i) for i in range(1, 5))
    inner = Program(inputs=variance.low.size)
    spread = inner.sum(Wire(0, variance.shape), exactly(node.real("epsilon", 1e-5)))
    factor = inner.elementwise(apply("power", X, np.asarray(-0.5)), [spread])
    result = _evaluated(inner, inner.scale(factor, scale), variance)
    shape = (1, *x.shape[1:]) if by_entry else (1, -1, *[1] * (len(x.shape) - 2))
    columns = [moved(node.program, c, lambda v: v.reshape(shape)) for c in (mean, result, shift)]
    assert isinstance(columns[1], Fixed)
    centred_ = node.program.sum(x, columns[0], -1.0)
    return [node.program.sum(node.program.scale(centred_, columns[1]), columns[2])]


def _evaluated(program: Program, x: Wire, of: Fixed) -> Fixed:
    from genbab.check.model.values import evaluate

    low, high = real(of)
    values = evaluate(program, (low.reshape(1, -1), high.reshape(1, -1)))
    if values.lost.any():
        raise Unusable("no rule for a variance that is not above 0")
    found = values.ranges[x.step]
    return Fixed(found[0][0].reshape(x.shape), found[1][0].reshape(x.shape))


def _extremes(node: Node) -> Sequence[Tensor]:
    program, sign = node.program, 1.0 if node.op == "Max" else -1.0
    tensors = [node.tensor(i) for i in range(len(node.inputs))]
    shape = np.broadcast_shapes(*(t.shape for t in tensors))
    found: Wire | None = None
    for x in tensors:
        wide = program.broadcast(x, shape)
        wire = wide if isinstance(wide, Wire) else _varying(program, wide)
        found = wire if found is None else largest(node, found, wire, sign)
    assert found is not None
    return [found]


def _where(node: Node) -> Sequence[Tensor]:
    condition = node.tensor(0)
    if isinstance(condition, Wire):
        if any(isinstance(x, Fixed) and x.low.dtype.kind in "iu" for x in (node.tensor(1), node.tensor(2))):
            raise node.fail("integers that vary")  # their quotients are rounded, their sums wrap around
        difference = node.program.sum(_wired(node, 1), node.tensor(2), -1.0)
        return [node.program.sum(multiplied(node.program, condition, difference), node.tensor(2))]
    mask = condition.low.astype(np.float64)
    first = multiplied(node.program, Fixed(mask, mask), _wired(node, 1))
    return [node.program.sum(first, multiplied(node.program, Fixed(1 - mask, 1 - mask), _wired(node, 2)))]


def _wired(node: Node, index: int) -> Wire:
    x = node.tensor(index)
    return x if isinstance(x, Wire) else _varying(node.program, x)


LAYERS: dict[str, Rule] = {
    **{"Add": _sum, "Sum": _sum, "Sub": _difference, "Neg": _negative, "Mul": _product, "Div": _quotient},
    **{"Gemm": _gemm, "MatMul": _matmul, "Conv": _convolution, "ConvTranspose": _transposed},
    **{"BatchNormalization": _batch_normal, "Max": _extremes, "Min": _extremes, "Where": _where},
}
