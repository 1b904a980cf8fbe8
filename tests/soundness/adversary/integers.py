"""Integers that leave their width, casts that truncate or round: numpy is what is right.

ONNX's integers wrap like numpy's (two's complement); casts of floats to integers drop what is behind the
point, and points where the number does not fit are not used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from genbab.specs import Clause, Spec

from .cases import Case, Known, exactly, row_of
from .interpreter import Array
from .numbers import Undecided
from .writing import Graph

TYPES = (np.int8, np.int16, np.int32, np.int64, np.uint8)
Values = dict[str, Array]


class Program:
    """A graph together with what numpy does for it, step by step; `here` are all values at the point x."""

    def __init__(self, seed: int, dtype: Any, x: Array, kind: Any = None) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph(dtype)
        code = int(helper.np_dtype_to_tensor_dtype(np.dtype(kind or dtype)))
        self.name = self.graph.input("x", 1, x.size, kind=code)
        self.input_dtype = np.dtype(kind or dtype)
        self.steps: list[tuple[str, Callable[..., Any], tuple[str, ...]]] = []
        self.x = x
        self.here: Values = {"x": x[None].astype(self.input_dtype)}
        self.constants: Values = {}

    @property
    def value(self) -> Array:
        """The value at the point of the tensor that the program ends in."""
        return self.here[self.name]

    def constant(self, value: Any, dtype: Any) -> str:
        """A new constant."""
        name = self.graph.constant(value, dtype)
        self.constants[name] = self.here[name] = np.asarray(value, dtype=dtype)
        return name

    def op(self, kind: str, fn: Callable[..., Any], *inputs: str, **attributes: Any) -> str:
        """A new node, and what it does."""
        self.name = self.graph.op(kind, *inputs, **attributes)
        self.steps.append((self.name, fn, inputs))
        with np.errstate(all="ignore"):
            self.here[self.name] = np.asarray(fn(*(self.here[n] for n in inputs)))
        return self.name

    def at(self, x: Array) -> Array:
        """The outputs at another point."""
        values: Values = {**self.constants, "x": x[None].astype(self.input_dtype)}
        with np.errstate(all="ignore"):
            for name, fn, inputs in self.steps:
                values[name] = np.asarray(fn(*(values[n] for n in inputs)))
        return values[self.name].astype(np.float64).reshape(-1)

    def cast(self, to: Any, like: bool = False) -> str:
        """A cast of numpy's kind, written Cast or CastLike."""
        fn = _cast_to(to)
        if like:
            pattern = self.constant(np.zeros(1), to)
            return self.op("CastLike", lambda v, _: fn(v), self.name, pattern)
        return self.op("Cast", fn, self.name, to=int(helper.np_dtype_to_tensor_dtype(np.dtype(to))))


def _cast_to(to: Any) -> Callable[[Array], Array]:
    def fn(v: Array) -> Array:
        if v.dtype.kind == "f" and np.dtype(to).kind in "iu":
            whole, info = np.trunc(v), np.iinfo(to)
            if not ((whole >= float(info.min)) & (whole < float(info.max) + 1)).all():
                raise Undecided("a number does not fit the integer")
            return whole.astype(to)
        return v != 0 if np.dtype(to) == bool else v.astype(to)

    return fn


def integers(seed: int) -> Case:
    """A case whose own point lies in the unsafe set."""
    for attempt in range(40):
        drawn = seed + 1_000_003 * attempt
        random = np.random.default_rng(drawn)
        try:
            return _asked(seed, (_rounded if random.random() < 0.2 else _program)(drawn, random))
        except Undecided:
            continue
    raise Undecided(f"no case for seed {seed}")


def _program(seed: int, random: Any) -> Program:
    kind: Any = TYPES[int(random.integers(len(TYPES)))]
    info, size = np.iinfo(kind), int(random.integers(1, 3))
    far = min(float(info.max), 2.0**23) * random.random() ** 2
    x = np.round(random.uniform(-far, far, size)) + random.choice([0.0, 0.5, -0.5, 0.25], size)
    own = random.random() < 0.25
    x = np.round(x) if own else x
    x = np.clip(x, float(max(info.min, -(2**23))), float(min(info.max, 2**23)))
    program = Program(seed, np.float32, x, kind if own else None)
    if not own:
        program.cast(kind, like=random.random() < 0.2)
    for _ in range(int(random.integers(1, 5))):
        RULES[int(random.integers(len(RULES)))](program)
    program.cast(np.float64 if random.random() < 0.5 else np.float32)
    if program.value.dtype == np.float32 and np.abs(program.value).max() > 2**24:
        raise Undecided("rounded in the end")
    return program


def _edge(p: Program) -> Any:
    """A constant of the type that brings the value at the point near its ends, or a small one."""
    info = np.iinfo(p.value.dtype)
    if p.random.random() < 0.5:
        return int(p.random.integers(1, 6))
    room = int(info.max) - int(p.value.reshape(-1)[0])
    return int(np.clip(room + int(p.random.integers(-3, 4)), int(info.min), int(info.max)))


def _added(p: Program) -> None:
    kind = p.value.dtype
    name = p.constant(_edge(p), kind)
    op, fn = (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply))[int(p.random.integers(3))]
    p.op(op, fn, p.name, name)


def _own(p: Program) -> None:
    op, fn = (("Add", np.add), ("Mul", np.multiply), ("Sub", np.subtract))[int(p.random.integers(3))]
    p.op(op, fn, p.name, p.name)


def _signed(p: Program) -> None:
    if p.value.dtype == np.uint8:
        raise Undecided("unsigned")
    p.op("Neg", np.negative, p.name)


def _absolute(p: Program) -> None:
    p.op("Abs", np.abs, p.name)


def _recast(p: Program) -> None:
    p.cast(TYPES[int(p.random.integers(len(TYPES)))], like=p.random.random() < 0.2)


def _divided(p: Program) -> None:
    by = int(p.random.integers(2, 9))

    def quotient(a: Array, b: Array) -> Array:
        return (np.sign(a) * (np.abs(a.astype(object)) // int(b))).astype(a.dtype)

    p.op("Div", quotient, p.name, p.constant(by, p.value.dtype))


def _summed(p: Program) -> None:
    if p.value.dtype != np.int32:  # onnxruntime lacks it, or (int64) adds in floating point
        raise Undecided("no sum of this type")
    p.op(
        "ReduceSum",
        lambda v, _: v.sum(1, keepdims=True, dtype=v.dtype),
        p.name,
        p.constant([1], np.int64),
        keepdims=1,
    )


def _compared(p: Program) -> None:
    kind = p.value.dtype
    place = p.constant(p.value.reshape(-1)[0], kind)
    op, fn = (("Equal", np.equal), ("Greater", np.greater), ("Less", np.less))[int(p.random.integers(3))]
    p.op(op, fn, p.name, place)
    p.cast(kind)


def _truth(p: Program) -> None:
    kind = p.value.dtype
    p.cast(bool)
    p.cast(kind)


def _back_and_forth(p: Program) -> None:
    kind = p.value.dtype
    p.cast(np.float32)
    p.op("Mul", np.multiply, p.name, p.constant(0.5, np.float32))
    p.cast(kind)


RULES: tuple[Callable[[Program], None], ...] = (
    _added,
    _added,
    _own,
    _signed,
    _absolute,
    _recast,
    _divided,
    _summed,
    _compared,
    _truth,
    _back_and_forth,
)


def _rounded(seed: int, random: Any) -> Program:
    """Double to float, and what is left of the difference; truth of numbers that are not whole."""
    x = random.normal(size=int(random.integers(1, 3))) * 10.0 ** int(random.integers(-2, 5))
    program = Program(seed, np.float64, x)
    if random.random() < 0.25:
        program.cast(bool)
        program.cast(np.float64)
        return program
    program.cast(np.float32, like=random.random() < 0.3)
    program.cast(np.float64)
    program.op("Sub", np.subtract, program.name, "x")
    if random.random() < 0.5:
        place = program.constant(0.0, np.float64)
        program.op("Greater", np.greater, program.name, place)
        program.cast(np.float64)
    else:
        program.op("Mul", np.multiply, program.name, program.constant(2.0**30, np.float64))
    return program


def _asked(seed: int, program: Program) -> Case:
    """Unsafe: an output is at least, or at most, what it is at the program's own point."""
    random, x = program.random, program.x
    whole = program.input_dtype.kind in "iu"
    away = (
        np.round(2.0 ** random.uniform(0, 6, (2, x.size)))
        if whole
        else 2.0 ** random.uniform(-8, 5, (2, x.size))
    )
    low, high = x - away[0] * (random.random() < 0.7), x + away[1] * (random.random() < 0.7)
    if program.input_dtype == np.float32:
        low, high = (end.astype(np.float32).astype(np.float64) for end in (low, high))
    if whole:
        info = np.iinfo(program.input_dtype)
        low, high = np.maximum(low, float(info.min)), np.minimum(high, float(min(info.max, 2**31)))
    y = program.at(x)
    points = [x, low, high]
    others = [program.at(p) for p in points[1:]]
    entry = int(random.integers(y.size))
    mean = (others[0][entry] + others[1][entry]) / 2
    sign = 1.0 if y[entry] < mean or (y[entry] == mean and random.random() < 0.5) else -1.0
    rows = sign * np.eye(y.size)[entry][None]
    clause = Clause(0, rows, None, np.array([sign * y[entry]]))
    return Case(
        "integers",
        seed,
        program.graph.model([program.name], [_code(program.value)]).SerializeToString(),
        Spec(low[None], high[None], (clause,), y.size),
        ("verified",),
        f"violated at {x.tolist()}, where the outputs are {y.tolist()}",
        known=tuple(
            Known(tuple(p.tolist()), exactly(row_of(v))) for p, v in zip(points, [y, *others], strict=True)
        ),
        seconds=0.2,
    )


def _code(value: Array) -> int:
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))
