"""Counterexamples planted where gradients do not lead: a needle in each of ten architectures.

After the idea of SoundnessBench (arXiv 2412.03154), but built instead of trained: per input a bump of width w
around a secret point, and a unit that wakes only where all bumps meet. The output is an ordinary random
network that stays positive, less the needle; that it is negative at the secret point is proved with balls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from genbab.network import Network, evaluate
from genbab.specs import Clause, Spec
from tests.soundness.truth import precision

from .cases import Case, Known, ends
from .interpreter import run
from .numbers import REAL, Undecided
from .writing import Graph

Floats = NDArray[np.float64]
BASE = 4
"""Units of the ordinary network in every layer."""

SECOND = {"Relu": 1.0, "Softplus": 8.0, "Gelu": 8.0, "Mish": 8.0}
"""Functions like relu: bumps are second differences at this sharpness (times 1 / w)."""

STEPS = {"Sigmoid": (0.0, 8.0), "Tanh": (-1.0, 4.0)}
"""Functions like steps: their least value, and the sharpness (times 1 / w)."""


class Needle:
    """A secret point in the box [-1, 1]^D, and the width of the bumps around it."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph(np.float32)
        self.size = int(self.random.integers(3, 9))
        self.point = self.random.uniform(-0.9, 0.9, self.size).astype(np.float32).astype(np.float64)
        self.width = float(self.random.uniform(0.1, 0.7))
        self.input = self.graph.input("x", "N", self.size)

    def normal(self, *shape: int, scale: float = 1.0) -> Floats:
        """Random numbers."""
        return self.random.normal(size=shape) * scale

    def dense(self, name: str, weight: Floats, bias: Floats) -> str:
        """A fully connected layer."""
        return self.graph.op("Gemm", name, self.graph.constant(weight), self.graph.constant(bias))

    def act(self, kind: str, name: str) -> str:
        """The activation."""
        given: dict[str, Any] = {"approximate": "none"} if kind == "Gelu" else {}
        return self.graph.op(kind, name, **given)

    def bumps(self, kind: str) -> tuple[Floats, Floats, Floats]:
        """Weights (D, M) and bias (M,) of a layer, and what makes Σ bumps (M,) of it: D at the point."""
        w, eye = self.width, np.eye(self.size)
        if kind in SECOND:
            k, scale = SECOND[kind] / w, 1 / SECOND[kind]
            offsets, parts = [w, 0.0, -w], [1.0, -2.0, 1.0]
        else:
            low, sharp = STEPS[kind]
            w = w / 3  # these bumps have flat tops
            k, scale = sharp / w, 1 / (1 - low)
            offsets, parts = [w, -w], [1.0, -1.0]
        weight = np.concatenate([k * eye] * len(offsets), 1)
        bias = np.concatenate([k * (o - self.point) for o in offsets])
        return weight, bias, scale * np.repeat(parts, self.size)

    def waking(self, kind: str) -> tuple[float, float]:
        """Factor and bias of the unit that wakes where Σ bumps is near D."""
        k = 2.0 if kind == "Relu" else 12.0
        return k, -k * (self.size - 0.5)


def _perceptron(kind: str) -> Callable[[Needle], tuple[str, str]]:
    """Two hidden layers, ordinary and needle units side by side."""

    def build(n: Needle) -> tuple[str, str]:
        weight, bias, sums = n.bumps(kind)
        units = weight.shape[1]
        first = n.dense(
            n.input,
            np.concatenate([weight, n.normal(n.size, BASE)], 1),
            np.concatenate([bias, n.normal(BASE, scale=0.3)]),
        )
        k, shift = n.waking(kind)
        second = np.zeros((units + BASE, 1 + BASE))
        second[:units, 0], second[units:, 1:] = k * sums, n.normal(BASE, BASE, scale=0.5)
        hidden = n.dense(n.act(kind, first), second, np.concatenate([[shift], n.normal(BASE, scale=0.3)]))
        return _divided(n, n.act(kind, hidden))

    return build


def _divided(n: Needle, hidden: str) -> tuple[str, str]:
    """The needle unit, which is the first, and an ordinary output of the others."""
    split = np.zeros((1 + BASE, 2))
    split[0, 0], split[1:, 1] = 1.0, n.normal(BASE)
    both = n.dense(hidden, split, np.zeros(2))
    return tuple(n.graph.op("Gather", both, n.graph.integers(k), axis=1) for k in (0, 1))  # type: ignore[return-value]


def _sines(n: Needle) -> tuple[str, str]:
    """One hidden layer of sines: Fejér's kernel along many directions, which meet in the point."""
    terms, count = 12, 4 * n.size
    directions = n.normal(n.size, count)
    directions *= 1.5 / np.abs(directions).sum(0)
    weight, bias, parts = [], [], []
    for m in range(1, terms):
        weight.append(m * directions)
        bias.append(np.pi / 2 - m * (n.point @ directions))
        parts.append(np.full(count, (1 - m / terms) / count))
    hidden = n.act("Sin", n.dense(n.input, np.concatenate(weight, 1), np.concatenate(bias)))
    needle = n.dense(hidden, np.concatenate(parts)[:, None] * 2 / (terms - 1), np.zeros(1))
    base = n.act("Sin", n.dense(n.input, n.normal(n.size, BASE), n.normal(BASE)))
    return needle, n.dense(base, n.normal(BASE, 1), np.zeros(1))


def _convolution(n: Needle) -> tuple[str, str]:
    """Relu after convolutions: pixels are shifted, then one kernel serves all."""
    g, w = n.graph, n.width
    pixels = g.op("Reshape", g.op("Sub", n.input, g.constant(n.point)), g.integers(-1, 1, n.size))
    kernel, bias = np.full((3, 1, 1), 1 / w), np.array([1.0, 0.0, -1.0])
    first = g.op("Relu", g.op("Conv", pixels, g.constant(kernel), g.constant(bias)))
    sums = g.constant(np.array([[1.0], [-2.0], [1.0]]).T[:, :, None])
    bump = g.op("ReduceSum", g.op("Conv", first, sums, g.constant(np.zeros(1))), g.integers(2), keepdims=0)
    needle = g.op("Relu", n.dense(bump, np.array([[2.0]]), np.array([-2.0 * (n.size - 0.5)])))
    other = g.op("Flatten", first, axis=1)
    base = g.op("Relu", n.dense(other, n.normal(3 * n.size, BASE, scale=0.3), n.normal(BASE)))
    return needle, n.dense(base, n.normal(BASE, 1), np.zeros(1))


def _residual(n: Needle) -> tuple[str, str]:
    """Two blocks of tanh with skip connections around them."""
    weight, bias, sums = n.bumps("Tanh")
    units = weight.shape[1]
    inner = np.concatenate([weight, n.normal(n.size, BASE)], 1)
    u = n.act("Tanh", n.dense(n.input, inner, np.concatenate([bias, n.normal(BASE)])))
    skip = np.zeros((n.size, units + BASE))
    skip[:, units:] = n.normal(n.size, BASE, scale=0.5)
    r = n.graph.op("Add", u, n.graph.op("MatMul", n.input, n.graph.constant(skip)))
    k, shift = n.waking("Tanh")
    second = np.zeros((units + BASE, 1 + BASE))
    second[:units, 0], second[units:, 1:] = k * sums, n.normal(BASE, BASE, scale=0.5)
    v = n.act("Tanh", n.dense(r, second, np.concatenate([[shift], n.normal(BASE)])))
    again = np.zeros((units + BASE, 1 + BASE))
    again[units:, 1:] = n.normal(BASE, BASE, scale=0.3)
    return _divided(n, n.graph.op("Add", v, n.graph.op("MatMul", r, n.graph.constant(again))))


def _attention(n: Needle) -> tuple[str, str]:
    """An attention over the inputs as tokens; a softmax of two scores is what wakes the needle."""
    g = n.graph
    tokens = g.op("Reshape", n.input, g.integers(-1, n.size, 1))
    q, k, v = (g.op("MatMul", tokens, g.constant(n.normal(1, 2))) for _ in range(3))
    scores = g.op("Softmax", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 2, 1])), axis=-1)
    mixed = g.op("Reshape", g.op("MatMul", scores, v), g.integers(-1, 2 * n.size))
    weight, bias, sums = n.bumps("Gelu")
    bump = n.act("Gelu", n.dense(n.input, weight, bias))
    factor, shift = n.waking("Gelu")
    two = n.dense(bump, np.stack([factor * sums, 0 * sums], 1), np.array([shift, 0.0]))
    needle = g.op("Gather", g.op("Softmax", two, axis=1), g.integers(0), axis=1)
    return needle, n.dense(mixed, n.normal(2 * n.size, 1), np.zeros(1))


def _gated(n: Needle) -> tuple[str, str]:
    """A recurrent cell that reads one input after the other: state · forget + gate · candidate."""
    g, w = n.graph, n.width / 3
    k = 8.0 / w
    state, other = g.constant(np.zeros((1, 2))), g.constant(np.zeros((1, BASE)))
    for step in range(n.size):
        x = g.op("Gather", n.input, g.integers(step), axis=1)
        gate = g.op("Sigmoid", n.dense(x, np.full((1, 2), k), k * (np.array([w, -w]) - n.point[step])))
        candidate = g.op("Tanh", n.dense(x, np.zeros((1, 2)), np.full(2, 2.0)))
        state = g.op("Add", state, g.op("Mul", gate, candidate))
        keep = g.op("Sigmoid", n.dense(x, n.normal(1, BASE), n.normal(BASE)))
        fresh = g.op("Tanh", n.dense(x, n.normal(1, BASE), n.normal(BASE)))
        other = g.op("Add", g.op("Mul", keep, other), fresh)
    c = float(np.tanh(2.0))
    score = n.dense(state, np.array([[12.0], [-12.0]]) / c, np.array([-12.0 * (n.size - 0.5)]))
    return g.op("Sigmoid", score), n.dense(g.op("Tanh", other), n.normal(BASE, 1), np.zeros(1))


ARCHITECTURES: dict[str, Callable[[Needle], tuple[str, str]]] = {
    "relu": _perceptron("Relu"),
    "sigmoid": _perceptron("Sigmoid"),
    "tanh": _perceptron("Tanh"),
    "gelu": _perceptron("Gelu"),
    "softplus": _perceptron("Softplus"),
    "sin": _sines,
    "convolution": _convolution,
    "residual": _residual,
    "attention": _attention,
    "gated": _gated,
}
"""Ten, eight of them smooth."""


def architecture(seed: int) -> str:
    """The architecture of a seed."""
    return list(ARCHITECTURES)[seed % len(ARCHITECTURES)]


def needles(seed: int) -> Case:
    """A case whose output is negative at the secret point, and at none of many random ones."""
    for attempt in range(20):
        try:
            return _case(seed, seed + 1_000_003 * attempt)
        except Undecided:
            continue
    raise Undecided(f"no case for seed {seed}")


def _case(seed: int, drawn: int) -> Case:
    n = Needle(drawn)
    needle, base = ARCHITECTURES[architecture(seed)](n)
    both = n.graph.op("Concat", base, needle, axis=1)
    points = np.concatenate([n.point[None], n.random.uniform(-1, 1, (4096, n.size))]).astype(np.float32)
    values = _run(n.graph.model([both]).SerializeToString(), points).astype(np.float64)
    depth = 2.0 * (float(np.ptp(values[:, 0])) + 0.5) / max(float(values[0, 1]), 0.05)
    below = 0.02 * depth * values[0, 1]
    shift = -(values[0, 0] - depth * values[0, 1]) - below
    output = n.dense(both, np.array([[1.0], [-depth]]), np.array([shift]))
    model = n.graph.model([output])
    reached = _run(model.SerializeToString(), points)[:, 0]
    with precision(200):
        y = run(model.graph, {"x": n.point[None]}, REAL)[output].reshape(-1)
        if not (y[0] < 0 and reached[0] < 0 and reached[1:].min() > 0):
            raise Undecided("the needle is not alone, or blunt")
        known = Known(tuple(n.point.tolist()), tuple(ends(v) for v in y))
    clause = Clause(0, np.array([[1.0]]), None, np.array([0.0]))
    return Case(
        "needles",
        seed,
        model.SerializeToString(),
        Spec(-np.ones((1, n.size)), np.ones((1, n.size)), (clause,), 1),
        ("verified",),
        f"{architecture(seed)}: {float(known.y[0][1]):.3g} at {n.point.tolist()} (width {n.width:.2f})",
        known=(known,),
        seconds=0.7,
    )


def _run(model: bytes, points: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": points})[0]


def random_search(case: Case, count: int = 200_000) -> bool:
    """Whether one of many random points is a counterexample."""
    low, high = case.box
    points = np.random.default_rng(0).uniform(low, high, (count, low.size)).astype(np.float32)
    return bool((_run(case.model, points) <= 0).any())


def plain_descent(case: Case, network: Network, restarts: int = 1000, steps: int = 100) -> bool:
    """Whether projected gradient descent (signs, steps from 1/4 of the box down) finds a counterexample."""
    low, high = (torch.from_numpy(np.array(end)) for end in case.box)
    generator = torch.Generator().manual_seed(0)
    x = low + torch.rand(restarts, low.numel(), generator=generator, dtype=torch.float64) * (high - low)
    for k in range(steps):
        x = x.detach().requires_grad_()
        y = evaluate(network, x)
        if bool((y <= 0).any()):
            hit = x[(y <= 0)[:, 0]][:1].detach().numpy().astype(np.float32)
            return bool((_run(case.model, hit) <= 0).any())
        (slope,) = torch.autograd.grad(y.sum(), x)
        x = x.detach() - (high - low) * 0.25 * 0.95**k * slope.sign()
        x = torch.minimum(torch.maximum(x, low), high)
    return False
