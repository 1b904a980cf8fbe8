"""Layers of random networks with a shape of their own: convolutions, attention, recurrences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .blocks import norm
from .net import Net


def convolution(net: Net) -> None:
    """An image, one or two convolutions with a function or norm between them, and perhaps a pool."""
    flat = net.chance(0.4)
    channels, height, width = net.whole(1, 3), 1 if flat else net.whole(3, 4), net.whole(3, 5)
    sizes = [width] if flat else [height, width]
    net.dense(channels * int(np.prod(sizes)))
    x = net.reshape(net.name, 1, channels, *sizes)
    for _ in range(net.whole(1, 2)):
        groups = channels if net.chance(0.2) else 1
        made = groups * net.whole(1, 3) if groups > 1 else net.whole(1, 4)
        kernel = [net.whole(1, 2) if flat else min(3, net.whole(1, 3)) for _ in sizes]
        pads = [1 if k == 3 else net.whole(0, k - 1) for k in kernel]
        weight = net.numbers(
            made, channels // groups, *kernel, scale=net.scale() / np.sqrt(channels * np.prod(kernel))
        )
        bias = [net.numbers(made, scale=0.3)] if net.chance(0.8) else []
        x = net.op("Conv", x, weight, *bias, kernel_shape=kernel, pads=pads * 2, group=groups)
        sizes = [n + 2 * p - k + 1 for n, p, k in zip(sizes, pads, kernel, strict=True)]
        channels = made
        x = _between(net, x, channels, int(np.prod(sizes)))
    x, sizes = _pooled(net, x, sizes)
    net.to(net.op("Flatten", x, axis=1), channels * int(np.prod(sizes)))


def _between(net: Net, x: str, channels: int, places: int) -> str:
    kind = net.draw("Relu", "Tanh", "BatchNormalization", "InstanceNormalization", "Sigmoid")
    if kind == "BatchNormalization":
        values = [net.random.uniform(0.3, 1.5, channels) for _ in range(4)]
        return net.op("Relu", net.op(kind, x, *map(net.constant, values)))
    if kind == "InstanceNormalization":
        if places < 2:
            return x
        values = [net.random.uniform(0.3, 1.5, channels) for _ in range(2)]
        return net.op(kind, x, *map(net.constant, values), epsilon=1e-3)
    return net.op(kind, x)


def _pooled(net: Net, x: str, sizes: list[int]) -> tuple[str, list[int]]:
    kind = net.draw("AveragePool", "MaxPool", "GlobalAveragePool", "none")
    if kind == "GlobalAveragePool":
        return net.op(kind, x), [1] * len(sizes)
    if kind == "none" or min(sizes) < 2:
        return x, sizes
    options = {"pads": [1] * (2 * len(sizes))} if net.chance(0.3) else {}
    if kind == "AveragePool" and net.chance(0.5):
        options["count_include_pad"] = 1  # type: ignore[assignment]
    extra = 2 if "pads" in options else 0
    return net.op(kind, x, kernel_shape=[2] * len(sizes), **options), [n + extra - 1 for n in sizes]


def attention(net: Net) -> None:
    """A few tokens that attend to each other in one head or two, added to themselves, and a small layer."""
    tokens, heads = net.whole(2, 4), net.whole(1, 2)
    each = net.whole(1, 4)
    size = heads * each
    net.dense(tokens * size)
    x = net.reshape(net.name, 1, tokens, size)

    def projected(order: list[int]) -> str:
        y = net.op("MatMul", x, net.numbers(size, size, scale=net.scale() / np.sqrt(size)))
        return net.op("Transpose", net.reshape(y, 1, tokens, heads, each), perm=order)

    query, key, value = projected([0, 2, 1, 3]), projected([0, 2, 3, 1]), projected([0, 2, 1, 3])
    if net.chance(0.5):
        scores = net.op("Div", net.op("MatMul", query, key), net.constant(np.sqrt(each)))
    else:
        scores = net.op("MatMul", net.mul(query, each**-0.5), key)
    mixed = net.op("MatMul", net.op("Softmax", scores, axis=-1), value)
    joined = net.reshape(net.op("Transpose", mixed, perm=[0, 2, 1, 3]), 1, tokens, size)
    y = net.op("Add", x, net.op("MatMul", joined, net.numbers(size, size, scale=1.0 / np.sqrt(size))))
    net.to(net.op("Flatten", y, axis=1), tokens * size)
    if net.chance(0.4):
        norm(net)


def unrolled(net: Net) -> None:
    """A recurrence written out: one weight at every step, a state with tanh, sigmoid or a gate."""
    steps, each, size = net.whole(2, 5), net.whole(1, 3), net.whole(2, 6)
    net.dense(steps * each)
    inputs = net.several("Split", steps, net.name, num_outputs=steps, axis=1)
    u, v = net.numbers(each, size), net.numbers(size, size, scale=net.scale() / np.sqrt(size))
    bias = net.numbers(size, scale=0.5)
    kind = net.draw("Tanh", "Sigmoid", "gate")
    gates = [net.numbers(n, size, scale=0.7) for n in (each, size)]
    h = net.constant(np.zeros((1, size)))
    for x in inputs:
        inner = net.op("Add", net.op("MatMul", x, u), net.op("MatMul", h, v))
        new = net.op(kind if kind != "gate" else "Tanh", net.op("Add", inner, bias))
        if kind == "gate":
            parts = (net.op("MatMul", *pair) for pair in zip((x, h), gates, strict=True))
            z = net.op("Sigmoid", net.op("Add", *parts))
            kept = net.op("Mul", net.op("Sub", net.constant(1.0), z), new)
            h = net.op("Add", kept, net.op("Mul", z, h))
        else:
            h = new
    net.to(h, size)


def recurrent(net: Net) -> None:
    """An RNN, LSTM or GRU over a few steps, forward, in reverse, or both."""
    kind = net.draw("RNN", "LSTM", "GRU")
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    steps, each, size = net.whole(2, 4), net.whole(1, 3), net.whole(2, 5)
    direction = net.draw("forward", "forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    net.dense(steps * each)
    x = net.reshape(net.name, steps, 1, each)
    u = net.numbers(count, gates * size, each, scale=net.draw(1.0, net.scale()))
    v = net.numbers(count, gates * size, size, scale=1.0 / np.sqrt(size))
    bias = net.numbers(count, 2 * gates * size, scale=0.4)
    options = {"linear_before_reset": net.whole(0, 1)} if kind == "GRU" else {}
    made = net.several(kind, 2, x, u, v, bias, hidden_size=size, direction=direction, **options)
    if net.chance(0.5):
        net.to(net.reshape(made[0], 1, -1), steps * count * size)
    else:
        net.to(net.reshape(made[1], 1, -1), count * size)


STRUCTURES: tuple[Callable[[Net], None], ...] = (convolution, attention, unrolled, recurrent)
