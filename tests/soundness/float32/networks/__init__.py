"""Random networks of every kind, with a box of inputs, and points of the box."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as combinations

import numpy as np
import onnx

from tests.soundness.float32.machine import run
from tests.soundness.float32.styles import Array, Style

from . import blocks as b
from . import structures as s
from .net import Net

KINDS: dict[str, tuple[b.Block, ...]] = {
    "relu": (b.piecewise,),
    "sigmoid": (b.function("Sigmoid"),),
    "tanh": (b.function("Tanh"),),
    "gelu": (b.gelu,),
    "softplus": (b.function("Softplus", "Softplus", "Mish"),),
    "sin": (b.waves,),
    "softmax": (b.softmax, s.attention),
    "products": (b.product,),
    "norms": (b.norm, b.norm, b.piecewise, b.gelu),
    "recurrence": (s.unrolled,),
    "rnn": (s.recurrent,),
    "convolution": (s.convolution,),
    "cancellation": (b.cancelling,),
    "thresholds": (b.threshold,),
    "powers": (b.power,),
    "tiny": (b.tiny,),
    "mixed": (b.piecewise, b.gelu, b.waves, b.softmax, b.product, b.norm, b.cancelling, b.power, b.moved),
}
"""Kind to its layers."""

FEW = {"recurrence", "rnn", "convolution"}
"""Kinds whose layers are long: there are three of them at most."""

MOST_TRIES = 50


@dataclass(frozen=True, eq=False)
class Case:
    """A model with one input "x" and a box of it, float32 numbers of the input's shape."""

    kind: str
    seed: int
    model: onnx.ModelProto
    low: Array
    high: Array

    @property
    def middle(self) -> Array:
        """A point of the box about its centre."""
        middle = (0.5 * (self.low.astype(np.float64) + self.high)).astype(np.float32)
        return np.clip(middle, self.low, self.high)


def random_network(seed: int) -> Case:
    """The case of a seed, whose kinds take turns; its outputs are finite at the middle and at corners."""
    kind = list(KINDS)[seed % len(KINDS)]
    for attempt in range(MOST_TRIES):
        case = _drawn(kind, seed, attempt)
        some = np.concatenate([case.middle[None], _corners(case, np.random.default_rng(0), 8)])
        if all(np.isfinite(y).all() for y in run(case.model, {"x": some}, Style())):
            return case
    raise RuntimeError(f"no finite network for seed {seed}")


def _drawn(kind: str, seed: int, attempt: int) -> Case:
    net = Net((seed, attempt), 1 + int(np.random.default_rng(seed).integers(6)))
    for _ in range(net.whole(1, 3) if kind in FEW else net.whole(1, 7)):
        net.draw(*KINDS[kind])(net)
        if net.chance(0.1):
            b.moved(net)
    net.dense(net.whole(1, 3))
    low, high = _box(net)
    model = net.model([1, net.inputs])
    onnx.checker.check_model(model, full_check=True)
    return Case(kind, seed, model, low, high)


def _box(net: Net) -> tuple[Array, Array]:
    """A box of one point, or of widths from 1e-6 to 2; now and then a side has no width."""
    middle = net.random.normal(size=(1, net.inputs)) * net.draw(0.1, 1.0, 1.0, 5.0)
    width = 0.0 if net.chance(0.15) else net.log_uniform(1e-6, 2.0)
    half = 0.5 * width * np.where(net.random.random((1, net.inputs)) < 0.1, 0.0, 1.0)
    low, high = ((middle + sign * half).astype(np.float32) for sign in (-1, 1))
    return low, high


def points(case: Case, count: int, seed: int = 0) -> Array:
    """Float32 points (count, ...) of the box: its middle, corners, random ones, and ones next to these."""
    random = np.random.default_rng(seed)
    corners = _corners(case, random, count // 4)
    share = random.random((max(count * 2 // 3 - len(corners), 0), *case.low.shape))
    inside = (case.low + share * (case.high.astype(np.float64) - case.low)).astype(np.float32)
    drawn = np.clip(np.concatenate([case.middle[None], corners, inside]), case.low, case.high)
    # one number away from these, in some of the coordinates
    origin = drawn[random.permutation(len(drawn))]
    goal = np.where(random.random(origin.shape) < 0.5, case.low, case.high).astype(np.float32)
    near = np.where(random.random(origin.shape) < 0.7, np.nextafter(origin, goal), origin)
    rest = np.concatenate([drawn[1:], near[: max(count - len(drawn), 0)]])
    return np.concatenate([drawn[:1], random.permutation(rest)])[:count]


def _corners(case: Case, random: np.random.Generator, most: int) -> Array:
    size = case.low.size
    if 2**size <= most:
        picks = np.array(list(combinations((False, True), repeat=size)), dtype=bool)
    else:
        picks = random.random((most, size)) < 0.5
    return np.where(picks.reshape(-1, *case.low.shape), case.high, case.low)
