"""Affine chains with cancelling constants that end in thresholds, met exactly at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from genbab.specs import Clause, Spec

from .cases import Case, Known, exactly
from .chain import AFFINE, FOLDED, Chain, row
from .interpreter import Array

COMPARED = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
THRESHOLDS = (
    *COMPARED,
    "Where",
    "Floor",
    "Ceil",
    "Round",
    "Sign",
    "Relu",
    "Max",
    "Clip",
    "LeakyRelu",
    "None",
)


@dataclass(frozen=True)
class Ended:
    """A chain with its thresholds: the tensors before and behind them, and where the functions jump."""

    chain: Chain
    before: str
    behind: str
    jumps: Callable[[Fraction], Fraction | None]


def affine(seed: int) -> Case:
    """A case of affine operators alone; constants as they are in the file."""
    return _case("affine", seed, AFFINE)


def folding(seed: int) -> Case:
    """The same, where constants are computed from constants, too."""
    return _case("folded", seed, FOLDED)


def _case(kind: str, seed: int, rules: tuple[Callable[[Chain], None], ...]) -> Case:
    random = np.random.default_rng(seed)
    holds = seed % 2 == 1
    dtype = np.float64 if random.random() < 0.4 else np.float32
    most = {np.float32: 4, np.float64: 9}[dtype] * random.random()
    chain = Chain(seed, dtype, 10.0 ** (min(most, 3.0) if holds else most))
    chain.grow(int(random.integers(2, 8)), rules)
    ended = threshold(chain)
    return held(kind, seed, ended) if holds else violated(kind, seed, ended)


def threshold(chain: Chain) -> Ended:
    """The chain, shifted so that its functions turn or jump where its value at the point is."""
    size = int(np.prod(chain.value.shape))
    chain.op("Reshape", chain.name, chain.integers(1, size))
    kind = chain.draw(*THRESHOLDS)
    if kind == "LeakyRelu" and chain.graph.dtype != np.float32:  # onnxruntime lacks it
        kind = "Relu"
    place = (
        Fraction(int(chain.random.integers(-3, 4)))
        if kind not in ("Sign", "Relu", "LeakyRelu")
        else Fraction(0)
    )
    place += Fraction(1, 2) if kind == "Round" else 0
    last = row(np.zeros(size)[None]) + place
    if kind in (*COMPARED, "Where") and chain.random.random() < 0.6:
        last = row(chain.plain(chain.magnitude(), size)[None])
    chain.shift(last - chain.value)
    before = chain.name
    _applied(chain, kind, last)
    jumps = _jumps(kind, place)
    if kind in ("Relu", "Max", "Clip", "LeakyRelu", "None") and chain.random.random() < 0.7:
        chain.op("Mul", chain.name, chain.constant(2.0 ** int(chain.random.integers(0, 40))))
    return Ended(chain, before, chain.name, jumps)


def _applied(chain: Chain, kind: str, last: Array) -> None:
    constant = chain.constant
    place = last.astype(np.float64)
    if kind in COMPARED:
        flag = chain.op(kind, chain.name, constant(place))
        chain.op("Cast", flag, to=chain.graph.kind)
    elif kind == "Where":
        flag = chain.op(chain.draw(*COMPARED), chain.name, constant(place))
        chain.op("Where", flag, constant(chain.plain(3.0)), constant(chain.plain(3.0)))
    elif kind == "Max":
        chain.op("Max", chain.name, constant(place))
    elif kind == "Clip":
        low = float(place[0, 0])
        chain.op("Clip", chain.name, constant(low), constant(low + 8.0))
    elif kind == "LeakyRelu":
        chain.op("LeakyRelu", chain.name, alpha=0.25)
    elif kind != "None":
        chain.op(kind, chain.name)


def _jumps(kind: str, place: Fraction) -> Callable[[Fraction], Fraction | None]:
    """How far from a jump a value before the thresholds is, None where there are none."""
    if kind in ("Floor", "Ceil", "Round"):
        half = Fraction(1, 2) if kind == "Round" else Fraction(0)
        return lambda z: abs(z - half - round(z - half))
    if kind in (*COMPARED, "Where"):
        return lambda z: abs(z)
    return (lambda z: abs(z)) if kind == "Sign" else lambda z: None


def other_end(chain: Chain, before: str) -> Any:
    """A point (D,) away from the chain's: mostly down or up the slope of one entry of the tensor."""
    random, x = chain.random, chain.x
    away = np.exp(random.uniform(np.log(1e-9), np.log(2.0), x.size))
    if random.random() < 0.15:
        return x.copy()
    sign = random.choice([-1.0, 1.0], x.size)
    if random.random() < 0.8:
        here = chain.known[before].reshape(-1)
        entry = int(random.integers(here.size))
        steps = [chain.at(x + unit, before)[0].reshape(-1)[entry] - here[entry] for unit in np.eye(x.size)]
        sign = float(random.choice([-1.0, 1.0])) * np.array([-1.0 if s < 0 else 1.0 for s in steps])
    away[random.random(x.size) < 0.2] = 0.0
    return (x + sign * away).astype(np.float32).astype(np.float64)


def violated(kind: str, seed: int, ended: Ended) -> Case:
    """The chain's own point lies in the unsafe set, exactly at its edge: `verified` would be wrong."""
    chain, random = ended.chain, ended.chain.random
    if random.random() < 0.3 and chain.value.size > 1:
        chain.op("ReduceSum", chain.name, chain.integers(1), keepdims=1)
    x, y = chain.x, chain.value.reshape(-1)
    other = other_end(chain, ended.before)
    far = chain.at(other, chain.name)[0].reshape(-1)
    weights = row(np.eye(y.size)[int(random.integers(y.size))])
    if random.random() < 0.2:
        weights = row(random.choice([-1.0, 1.0], y.size))
    here, there = weights @ y, weights @ far
    if here > there or (here == there and random.random() < 0.5):
        weights, here = -weights, -here
    if random.random() < 0.15:  # the point inside, not at a corner
        other = np.where(random.random(x.size) < 0.5, 2 * x - other, other)
    low, high = np.minimum(x, other), np.maximum(x, other)
    clause = Clause(0, weights.astype(np.float64)[None], None, np.array([rounded_up(here)]))
    between = x + random.random() * (other - x)
    known = tuple(Known(tuple(p.tolist()), exactly(chain.at(p, chain.name)[0])) for p in (x, other, between))
    spec = Spec(low[None], high[None], (clause,), y.size)
    why = f"violated at {x.tolist()}, where the outputs are exactly {[str(v) for v in y]}"
    return Case(
        kind,
        seed,
        chain.model(chain.name).SerializeToString(),
        spec,
        ("verified",),
        why,
        known=known,
        check=False,
        thorough=seed % 8 < 2,
        seconds=0.05,
    )


def held(kind: str, seed: int, ended: Ended) -> Case:
    """The property holds, by a margin: an answer is asked for where it is larger than 1e-6."""
    chain, random = ended.chain, ended.chain.random
    entry = int(random.integers(chain.value.size))
    chain.op("Gather", chain.name, chain.integers(entry), axis=1)
    other = other_end(chain, ended.before)
    move = (random.random() - 0.3) * (other - chain.x) if random.random() < 0.7 else 0.0 * other
    ends = np.stack([(chain.x + move), (other + move)]).astype(np.float32).astype(np.float64)
    low, high = ends.min(0), ends.max(0)
    side = random.choice([-1.0, 1.0])
    corners = [np.where(np.array(c), high, low) for c in product((False, True), repeat=low.size)]
    values = [chain.at(c, ended.before, chain.name) for c in corners]
    reached = [Fraction(side) * y.reshape(-1)[0] for _, y in values]
    size = np.maximum(abs(low), abs(high))
    heavy = float(chain.masses(size, ended.before).reshape(-1)[entry])
    scale = heavy + max(abs(float(r)) for r in reached) if ended.jumps(Fraction(0)) is not None else 0.0
    scale = scale or float(chain.masses(size, chain.name).reshape(-1)[0])
    gap = float(np.exp(random.uniform(np.log(1e-7), np.log(0.3))))
    rhs = float(max(reached)) + gap * (scale + 1e-30)
    clause = Clause(0, np.array([[-side]]), None, np.array([-rhs]))
    at = max(range(len(corners)), key=lambda k: reached[k])
    jump = ended.jumps(values[at][0].reshape(-1)[entry] - _place(ended, entry))
    margin = min(gap, float("inf") if jump is None else float(jump) / (heavy + 1e-300))
    known = tuple(Known(tuple(c.tolist()), exactly(v[1])) for c, v in zip(corners, values, strict=True))
    return Case(
        kind,
        seed,
        chain.model(chain.name).SerializeToString(),
        Spec(low[None], high[None], (clause,), 1),
        (),
        f"holds by {float(Fraction(rhs) - max(reached)):.3g}",
        margin=margin if Fraction(rhs) > max(reached) else None,
        known=known,
        check=False,
        thorough=seed % 8 < 2,
        seconds=0.05,
    )


def _place(ended: Ended, entry: int) -> Fraction:
    """What the entry is compared with: its value at the chain's own point, for functions of one jump."""
    kinds = {n.op_type for n in ended.chain.graph.nodes}
    if kinds & {"Floor", "Ceil", "Round"}:
        return Fraction(0)
    return Fraction(ended.chain.known[ended.before].reshape(-1)[entry])


def rounded_up(value: Fraction) -> float:
    """The least float64 that is not below."""
    near = float(value)
    return near if Fraction(near) >= value else float(np.nextafter(near, np.inf))
