"""RNN, LSTM and GRU, unrolled: the gates of every step become nodes of the network.

Letters here: T steps, M sequences side by side (ONNX's batch), I inputs and H hidden units of a cell, G its
gates, D directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.moving.joining import stacked
from genbab.reader.lower.table import LOWERINGS, lowering
from genbab.reader.tensors.arithmetic import add, apply, clip, combine, multiply, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, constant, given, integers, needed

State = tuple[Value, ...]
"""(h,), for an LSTM (h, c); each (M, H)."""

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
DIRECTIONS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
"""Direction -> per run over the sequence, whether it goes backwards."""

PARAMETERS: dict[str, dict[str, float]] = {
    **{name: {} for name in ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")},
    "Elu": {"alpha": 1.0},
    "LeakyRelu": {"alpha": 0.01},
    "ThresholdedRelu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "Affine": {"alpha": 1.0, "beta": 0.0},
    "ScaledTanh": {"alpha": 1.0, "beta": 1.0},
}
"""Activation -> its parameters and their defaults; given ones are taken from the lists in turn."""


@dataclass(frozen=True)
class Activation:
    """An activation function of a gate, with its parameters."""

    name: str
    parameters: dict[str, float]
    opset: int

    def __call__(self, b: Builder, x: Value) -> Value:
        p = self.parameters
        if self.name == "Affine":
            return combine(b, [(x, p["alpha"]), (np.full(x.shape, p["beta"]), 1.0)])
        if self.name == "ScaledTanh":
            return scale(b, apply(b, "tanh", scale(b, x, p["beta"])), p["alpha"])
        if self.name in ("Sigmoid", "Tanh", "Relu", "Softplus"):
            return apply(b, self.name.lower(), x)
        if not isinstance(x, Var):
            x = b.variable(x)
        options: dict[str, Any] = p
        made = LOWERINGS[self.name](
            b, Op(helper.make_node(self.name, ["x"], ["y"], **options), self.opset), [x]
        )
        assert not isinstance(made, list)
        return made


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction: wx (G, I, H), wh (G, H, H), bx and bh (G, H) in ONNX's order of gates, p (3, H)."""

    kind: str
    wx: Array
    wh: Array
    bx: Array
    bh: Array
    p: Array
    activations: list[Activation]
    clip: float
    coupled: bool
    linear_before_reset: bool

    @property
    def hidden(self) -> int:
        """H, the size of the state."""
        return int(self.wh.shape[-1])


@dataclass(frozen=True, eq=False)
class Schedule:
    """time[s, m] is what sequence m reads in step s; alive[s, m] whether it still has something to read."""

    time: Array
    alive: Array


@lowering("RNN", "LSTM", "GRU", how="unrolled to its gates: sums of products x · g(y)")
def _recurrent(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """Y (T, D, M, H), Y_h and Y_c (D, M, H); with layout 1 (M, T, D, H) and (M, D, H)."""
    batch_first = bool(op.integer("layout", 0))
    x = needed(inputs, 0)
    x = _permuted(b, x, (1, 0, 2)) if batch_first else x
    steps, many, _ = x.shape
    lengths = _lengths(given(inputs, 4), steps, many)
    kinds = 2 if op.kind == "LSTM" else 1
    starts = [given(inputs, 5 + i) for i in range(kinds)]
    if batch_first:
        starts = [None if s is None else _permuted(b, s, (1, 0, 2)) for s in starts]
    runs = []
    for d, (backwards, cell) in enumerate(_cells(op, inputs)):
        start = tuple(_initial(b, s, d, (many, cell.hidden)) for s in starts)
        runs.append(_run(b, cell, x, _schedule(lengths, steps, backwards), start))
    y = stacked(b, [y for y, _ in runs])
    lasts = [stacked(b, [last[i] for _, last in runs]) for i in range(kinds)]
    if batch_first:
        return [_permuted(b, y, (2, 1, 0, 3)), *(_permuted(b, last, (1, 0, 2)) for last in lasts)]
    return [_permuted(b, y, (1, 0, 2, 3)), *lasts]


def _run(b: Builder, cell: Cell, x: Value, schedule: Schedule, state: State) -> tuple[Value, State]:
    """(all outputs (T, M, H) at the times they belong to, the state after the last step of each sequence)."""
    steps, many = schedule.time.shape
    places = np.arange(x.size).reshape(x.shape)
    step = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}[cell.kind]
    outputs = []
    for s in range(steps):
        now = b.gather(x, places[schedule.time[s], np.arange(many)])
        alive = schedule.alive[s].astype(np.float64)[:, None]
        state = tuple(
            _kept(b, new, old, alive) for new, old in zip(step(b, cell, now, state), state, strict=True)
        )
        outputs.append(scale(b, state[0], alive) if not alive.all() else state[0])
    whole = stacked(b, outputs)
    at = np.empty_like(schedule.time)  # at[t, m]: the step in which sequence m is at time t
    np.put_along_axis(at, schedule.time, np.arange(steps)[:, None], axis=0)
    return b.gather(whole, np.arange(whole.size).reshape(whole.shape)[at, np.arange(many)]), state


def _kept(b: Builder, new: Value, old: Value, alive: Array) -> Value:
    """new for the sequences that are alive, old for the others."""
    if alive.all():
        return new
    return add(b, scale(b, new, alive), scale(b, old, 1.0 - alive))


def _rnn(b: Builder, cell: Cell, x: Value, state: State) -> State:
    return (cell.activations[0](b, _clipped(b, cell, _argument(b, cell, 0, x, state[0]))),)


def _gru(b: Builder, cell: Cell, x: Value, state: State) -> State:
    """h' = z h + (1 - z) n. Gates in the order z, r, n."""
    (h,) = state
    f, g = cell.activations
    z = _clipped(b, cell, _argument(b, cell, 0, x, h))
    r = f(b, _clipped(b, cell, _argument(b, cell, 1, x, h)))
    if cell.linear_before_reset:
        inner = multiply(b, r, add(b, matmul(b, h, cell.wh[2]), cell.bh[2]))
    else:
        inner = add(b, matmul(b, multiply(b, r, h), cell.wh[2]), cell.bh[2])
    outer = add(b, matmul(b, x, cell.wx[2]), cell.bx[2])
    n = g(b, _clipped(b, cell, add(b, outer, inner)))
    return (_mixed(b, f, z, h, n),)


def _lstm(b: Builder, cell: Cell, x: Value, state: State) -> State:
    """c' = f c + i n, h' = o · act(c'). Gates in the order i, o, f, n; peepholes in the order i, o, f."""
    h, c = state
    f, g, last = cell.activations

    def gate(k: int, peephole: int | None = None, at: Value = c) -> Value:
        argument = _argument(b, cell, k, x, h)
        if peephole is not None and cell.p[peephole].any():
            argument = add(b, argument, scale(b, at, cell.p[peephole]))
        return _clipped(b, cell, argument)

    n = g(b, gate(3))
    if cell.coupled:
        new = _mixed(b, f, gate(0, 0), n, c)
    else:
        new = add(b, multiply(b, f(b, gate(2, 2)), c), multiply(b, f(b, gate(0, 0)), n))
    o = f(b, gate(1, 1, new))
    return multiply(b, o, last(b, new)), new


def _mixed(b: Builder, f: Activation, z: Value, one: Value, other: Value) -> Value:
    """f(z) · one + (1 - f(z)) · other; both gates are relaxed together with what they let through.

    For a GRU of six steps the optimised bounds are half as wide as those of other + f(z) · (one - other).
    """
    if f.name == "Sigmoid":
        rest = f(b, scale(b, z, -1.0))
    else:
        gate = f(b, z)
        rest = subtract(b, np.ones(gate.shape), gate)
    return add(b, multiply(b, f(b, z), one), multiply(b, rest, other))


def _argument(b: Builder, cell: Cell, k: int, x: Value, h: Value) -> Value:
    """x·wx + bx + h·wh + bh of gate k."""
    from_x, from_h = matmul(b, x, cell.wx[k]), matmul(b, h, cell.wh[k])
    return combine(b, [(from_x, 1.0), (from_h, 1.0), (cell.bx[k], 1.0), (cell.bh[k], 1.0)])


def _clipped(b: Builder, cell: Cell, x: Value) -> Value:
    return clip(b, x, -cell.clip, cell.clip) if cell.clip > 0 else x


def _cells(op: Op, inputs: list[Value | None]) -> list[tuple[bool, Cell]]:
    """Per direction, whether it goes backwards and its cell."""
    direction = op.text("direction", "forward")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction '{direction}'")
    backwards = DIRECTIONS[direction]
    gates, many = GATES[op.kind], len(backwards)
    w, r = (_weights(needed(inputs, i), what) for i, what in ((1, "its weight W"), (2, "its weight R")))
    hidden = op.integer("hidden_size", r.shape[-1])
    if w.shape[:2] != (many, gates * hidden) or r.shape != (many, gates * hidden, hidden):
        raise ValueError(f"weights of shapes {w.shape} and {r.shape} for {many} x {gates} x {hidden} rows")
    bias = _optional(given(inputs, 3), "its bias", (many, 2, gates, hidden))
    p = _optional(given(inputs, 7), "its peepholes", (many, 3, hidden))
    activations = _activations(op, many)
    return [
        (
            back,
            Cell(
                op.kind,
                w[d].reshape(gates, hidden, -1).swapaxes(1, 2),
                r[d].reshape(gates, hidden, hidden).swapaxes(1, 2),
                bias[d, 0],
                bias[d, 1],
                p[d],
                activations[d],
                op.number("clip", 0.0),
                bool(op.integer("input_forget", 0)),
                bool(op.integer("linear_before_reset", 0)),
            ),
        )
        for d, back in enumerate(backwards)
    ]


def _weights(value: Value, what: str) -> Array:
    array = constant(value, what)
    assert array is not None
    return array.astype(np.float64)


def _optional(value: Value | None, what: str, shape: tuple[int, ...]) -> Array:
    if value is None:
        return np.zeros(shape)
    return _weights(value, what).reshape(shape)


def _activations(op: Op, directions: int) -> list[list[Activation]]:
    """The activations of every direction; those that need alphas and betas use these up in order."""
    wanted = [
        n.decode() if isinstance(n, bytes) else str(n) for n in op.attributes.get("activations", [])
    ] or DEFAULTS[op.kind] * directions
    each = len(DEFAULTS[op.kind])
    if len(wanted) != each * directions:
        raise ValueError(f"{len(wanted)} activations for {directions} direction(s)")
    known = {name.lower(): name for name in PARAMETERS}
    lists = {k: list(op.attributes.get(f"activation_{k}", [])) for k in ("alpha", "beta")}
    made = []
    for one in wanted:
        if one.lower() not in known:
            raise Refused(f"its activation '{one}'")
        name = known[one.lower()]
        parameters = {
            k: float(lists[k].pop(0)) if lists[k] else default for k, default in PARAMETERS[name].items()
        }
        made.append(Activation(name, parameters, op.opset))
    return [made[d * each : (d + 1) * each] for d in range(directions)]


def _lengths(value: Value | None, steps: int, many: int) -> Array:
    found = integers(value, "the length of the sequences")
    lengths = np.full(many, steps) if found is None else np.array(found)
    if lengths.shape != (many,) or (lengths < 1).any() or (lengths > steps).any():
        raise Refused(f"sequences of lengths {lengths.tolist()} among {many} of {steps} steps")
    return lengths


def _schedule(lengths: Array, steps: int, backwards: bool) -> Schedule:
    s, n = np.arange(steps)[:, None], lengths[None, :]
    alive = s < n
    return Schedule(np.where(alive & backwards, n - 1 - s, s), alive)


def _initial(b: Builder, value: Value | None, d: int, shape: tuple[int, int]) -> Value:
    """The state (M, H) that direction d starts from."""
    if value is None:
        return np.zeros(shape)
    return b.gather(value, np.arange(value.size).reshape(value.shape)[d])


def _permuted(b: Builder, x: Value, order: tuple[int, ...]) -> Value:
    return b.gather(x, np.arange(x.size).reshape(x.shape).transpose(order))
