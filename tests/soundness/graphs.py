"""Random small networks in normal form, and the same networks as ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Conv,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    Nonlinear,
    TokenDense,
    evaluate,
)
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear import functions as known
from genbab.nonlinear.facts.registry import OPERATORS

WILD = {
    **dict.fromkeys(("exp", "power", "reciprocal", "log", "sqrt", "sinh", "cosh"), (1.5, 1.2)),
    **dict.fromkeys(("asin", "acos", "atanh", "tan"), (0.1, 0.8)),
    "acosh": (2.4, 1.2),
}
"""Functions that grow fast or are not defined everywhere: they get an argument in centre ± radius."""


KINDS = {name: (kind, operator) for (domain, kind), (name, operator) in OPERATORS.items() if not domain}
"""Function to ONNX operator, where it is one."""

SPELLED = {*KINDS, "silu", "power", "step", "clip", "gelu", "gelu_tanh"}
"""Functions that `to_onnx` can write."""


class Builder:
    """Grows a network node by node; weights are float32 numbers: an ONNX file can hold the same network."""

    def __init__(self, seed: int, inputs: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Node] = [Input(inputs)]

    def integer(self, low: int, high: int) -> int:
        """A random integer in [low, high]."""
        return int(self.random.integers(low, high + 1))

    def numbers(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Random normal float32 numbers, as float64."""
        return torch.from_numpy(self.random.normal(size=shape) * scale).float().double()

    def pick(self) -> int:
        """A node, late ones preferred."""
        count = len(self.nodes)
        return count - 1 if self.random.random() < 0.6 else self.integer(0, count - 1)

    def add(self, node: Node) -> int:
        """Append the node."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def dense(self, source: int, size: int) -> int:
        """A dense affine node."""
        n = self.nodes[source].size
        weight = Dense(self.numbers(size, n, scale=1.2 / n**0.5))
        return self.add(Affine(((source, weight),), self.numbers(size, scale=0.5)))

    def affine(self, size: int) -> int:
        """An affine node of one to three terms, of any kind of map."""
        terms = []
        for _ in range(self.integer(1, 3)):
            source = self.pick()
            terms.append((source, self.map(self.nodes[source].size, size)))
        return self.add(Affine(tuple(terms), self.numbers(size, scale=0.5)))

    def map(self, n: int, m: int) -> LinearMap:
        """A random linear map from n to m numbers."""
        kinds: list[Callable[[int, int], LinearMap | None]] = [
            lambda n, m: Dense(self.numbers(m, n, scale=1.0 / n**0.5)),
            lambda n, m: Index(torch.from_numpy(self.random.integers(-1, n, size=m)), n),
            lambda n, m: Adjoint(Index(torch.from_numpy(self.random.integers(-1, m, size=n)), m)),
            lambda n, m: Identity(n) if n == m else None,
            lambda n, m: Diagonal(self.numbers(n)) if n == m else None,
            self.conv,
            lambda n, m: self.adjoint(self.conv(m, n)),
            self.token,
            self.chain,
        ]
        while True:
            made = kinds[self.integer(0, len(kinds) - 1)](n, m)
            if made is not None:
                return made

    def conv(self, n: int, m: int) -> LinearMap | None:
        """A 1-D or 2-D convolution from n to m numbers, where one fits."""
        for _ in range(20):
            kernel, stride, pad, dilation = (self.integer(1, 3), self.integer(1, 2), self.integer(0, 1), 1)
            axes = self.integer(1, 2)
            image = (n,) if axes == 1 else (2, n // 2)
            if image[-1] < 1 or int(np.prod(image)) != n:
                continue
            out = tuple((s + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for s in image)
            if min(out) < 1 or m % int(np.prod(out)):
                continue
            channels = m // int(np.prod(out))
            weight = self.numbers(channels, 1, *(kernel,) * axes, scale=0.7)
            repeat = (stride,) * axes, (pad,) * axes, (dilation,) * axes
            return Conv(weight, (1, *image), (channels, *out), *repeat, 1)
        return None

    def adjoint(self, one: LinearMap | None) -> LinearMap | None:
        """The adjoint of a map, if there is one."""
        return None if one is None else Adjoint(one)

    def token(self, n: int, m: int) -> LinearMap | None:
        """A matrix product per token, where sizes allow more than one token."""
        tokens = 2 if n % 2 == 0 and m % 2 == 0 else 3
        if n % tokens or m % tokens:
            return None
        return TokenDense(self.numbers(1, n // tokens, m // tokens, scale=0.8), 1, tokens)

    def chain(self, n: int, m: int) -> LinearMap:
        """A composition of two maps."""
        middle = self.integer(1, 5)
        return Compose((Dense(self.numbers(middle, n, scale=1.0 / n**0.5)), self.map(middle, m)))

    def univariate(self, fn: Nonlinearity, source: int) -> int:
        """fn of a node, tamed first where fn is wild."""
        if fn.name in WILD:
            source = self.tame(source, *WILD[fn.name])
        return self.add(Nonlinear(fn, (source,), self.nodes[source].size))

    def tame(self, source: int, centre: float, radius: float) -> int:
        """centre + radius · tanh(node)."""
        size = self.nodes[source].size
        squashed = self.add(Nonlinear(_tanh(), (source,), size))
        scale, shift = (torch.full((size,), v).float().double() for v in (radius, centre))
        return self.add(Affine(((squashed, Diagonal(scale)),), shift))

    def binary(self, fn: Product | Gate, source: int) -> int:
        """A product or gate of two nodes of one size (sometimes twice the same)."""
        size = self.nodes[source].size
        same = [i for i, node in enumerate(self.nodes) if node.size == size]
        other = same[self.integer(0, len(same) - 1)]
        return self.add(Nonlinear(fn, (source, other), size))


def functions() -> list[Nonlinearity]:
    """The library's functions, as far as an ONNX file can hold them."""
    return [fn for fn in known() if fn.name in SPELLED]


def _tanh() -> Nonlinearity:
    return next(fn for fn in functions() if fn.name == "tanh")


def gates() -> list[Product | Gate]:
    """The product and a gate for each of a few functions."""
    wanted = {"sigmoid", "tanh", "relu", "silu"}
    return [Product(), *(Gate(fn) for fn in functions() if fn.name in wanted)]


def random_network(
    seed: int, inputs: int = 3, outputs: int = 2, depth: int = 3, only: Sequence[Nonlinearity] = ()
) -> Network:
    """A random DAG with `depth` nonlinear nodes over all kinds of node, map and function (or only these)."""
    build = Builder(seed, inputs)
    choice = list(only) or list(functions())
    build.dense(0, build.integer(2, 5))
    for _ in range(depth):
        source = build.affine(build.integer(2, 6)) if build.random.random() < 0.7 else build.pick()
        if build.random.random() < 0.3 and not only:
            pairs = gates()
            build.binary(pairs[build.integer(0, len(pairs) - 1)], source)
        else:
            build.univariate(choice[build.integer(0, len(choice) - 1)], source)
    last = len(build.nodes) - 1
    weight = Dense(build.numbers(outputs, build.nodes[last].size))
    middle = build.pick()
    skip = Dense(build.numbers(outputs, build.nodes[middle].size, scale=0.5))
    output = build.add(Affine(((last, weight), (middle, skip)), build.numbers(outputs)))
    network = Network(tuple(build.nodes), output)
    network.check()
    return network


def random_box(seed: int, size: int, radius: float = 0.7) -> tuple[Tensor, Tensor]:
    """A box (D,), (D,) of float32 numbers; now and then one of its sides has no width."""
    random = np.random.default_rng(seed + 10_000)
    centre, half = random.normal(size=size), radius * random.random(size)
    half[random.random(size) < 0.1] = 0.0
    low, high = ((centre + sign * half).astype(np.float32).astype(np.float64) for sign in (-1, 1))
    return torch.from_numpy(low), torch.from_numpy(np.maximum(low, high))


def extremes(network: Network, low: Tensor, high: Tensor, steps: int = 15) -> Tensor:
    """Outputs (M, O) at sampled points of the box and along gradient walks to both ends of every output."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(256, low.shape[0], generator=generator, dtype=torch.float64)
    weight[:64] = weight[:64].round()
    x = low + weight * (high - low)
    seen = [evaluate(network, x).detach()]
    count = network.output_size
    goal = torch.cat([torch.eye(count), -torch.eye(count)]).double().repeat(4, 1)
    x = x[: goal.shape[0]]
    for k in range(steps):
        x = x.detach().requires_grad_()
        y = evaluate(network, x)
        seen.append(y.detach())
        if not y.requires_grad:
            break
        (gradient,) = torch.autograd.grad((y * goal).sum(), x)
        x = x.detach() + (high - low) * 0.5 * 0.75**k * torch.nan_to_num(gradient).sign()
        x = torch.minimum(torch.maximum(x, low), high)
    return torch.cat(seen)


def grid(low: Tensor, high: Tensor, count: int) -> Tensor:
    """A grid of count**D points (M, D) over the box, ends included."""
    axes = [
        torch.linspace(float(a), float(b), count, dtype=torch.float64) for a, b in zip(low, high, strict=True)
    ]
    return torch.cartesian_prod(*axes).reshape(-1, low.shape[0]).clamp(low, high)


def to_onnx(network: Network) -> bytes:
    """The network as an ONNX file of float32 weights: every linear map as a matrix product."""
    write = _Writer(network)
    for i, node in enumerate(network.nodes):
        if isinstance(node, Affine):
            write.affine(i, node)
        elif isinstance(node, Nonlinear):
            write.nonlinear(i, node)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        write.nodes,
        "random",
        [value("v0", TensorProto.FLOAT, [1, network.input_size])],
        [value(f"v{network.output}", TensorProto.FLOAT, [1, network.output_size])],
        write.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Writer:
    """Nodes and weights of an ONNX graph."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: Tensor | float) -> str:
        """The name of a new float32 initialiser."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def op(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """The output name of a new node."""
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def affine(self, i: int, node: Affine) -> None:
        """Sum of matrix products and a bias."""
        total = self.constant(node.bias)
        for k, (source, one) in enumerate(node.terms):
            moved = self.op("MatMul", [f"v{source}", self.constant(one.dense().mT)])
            total = self.op("Add", [moved, total], f"v{i}" if k + 1 == len(node.terms) else "")

    def nonlinear(self, i: int, node: Nonlinear) -> None:
        """A function, product or gate."""
        args = [f"v{a}" for a in node.args]
        if isinstance(node.fn, Nonlinearity):
            self.function(node.fn, args[0], f"v{i}")
        elif isinstance(node.fn, Gate):
            self.op("Mul", [args[0], self.function(node.fn.g, args[1])], f"v{i}")
        else:
            self.op("Mul", args, f"v{i}")

    def function(self, fn: Nonlinearity, x: str, out: str = "") -> str:
        """fn(x) by ONNX operators."""
        if fn.name == "silu":
            return self.op("Mul", [x, self.op("Sigmoid", [x])], out)
        if fn.name == "power":
            return self.op("Pow", [x, self.constant(fn.params[0])], out)
        if fn.name == "step":
            above = self.op("Greater", [x, self.constant(0.0)])
            return self.op("Cast", [above], out, to=TensorProto.FLOAT)
        if fn.name == "clip":
            return self.op("Clip", [x, *map(self.constant, fn.params)], out)
        if fn.name in ("gelu", "gelu_tanh"):
            return self.op("Gelu", [x], out, approximate="none" if fn.name == "gelu" else "tanh")
        kind, operator = KINDS[fn.name]
        return self.op(
            kind, [x], out, **dict(zip((n for n, _ in operator.attributes), fn.params, strict=True))
        )
