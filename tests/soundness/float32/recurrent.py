"""RNN, LSTM and GRU, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .call import Call, NotEmulated, Rule
from .elementary import function
from .pointwise import ONE
from .styles import Array
from .sums import dot

USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


@dataclass(frozen=True)
class Weights:
    """What one direction is computed with: of the input and of the state (K, G·H), and both biases (G·H,)."""

    c: Call
    of_input: Array
    of_state: Array
    bias: Array
    state_bias: Array
    activations: tuple[str, ...]

    def part(self, gate: int) -> slice:
        """The columns of a gate."""
        size = self.of_state.shape[0]
        return slice(gate * size, (gate + 1) * size)

    def active(self, which: int, x: Array) -> Array:
        """The activation function of this number."""
        name = self.activations[which]
        return np.maximum(x, np.float32(0)) if name == "Relu" else function(self.c.m, name, x)

    def gates(self, x: Array, h: Array, where: slice) -> Array:
        """Input and state times their weights plus both biases, in sums grouped one way or another."""
        m, variant = self.c.m, self.c.m.variant(4)
        u, v, b, d = (w[..., where] for w in (self.of_input, self.of_state, self.bias, self.state_bias))
        if variant == 0:
            return m.add(m.add(_product(self.c, x, u), b), m.add(_product(self.c, h, v), d))
        if variant == 1:
            both = np.concatenate([*np.broadcast_arrays(x[..., :0], h[..., :0]), *_equal(x, h)], axis=-1)
            return _product(self.c, both, np.concatenate([u, v]), m.add(b, d))
        if variant == 2:
            return m.add(m.add(_product(self.c, x, u), _product(self.c, h, v)), m.add(b, d))
        return _product(self.c, h, v, _product(self.c, x, u, m.add(b, d)))


def _equal(x: Array, h: Array) -> list[Array]:
    count = max(x.shape[0], h.shape[0])
    return [np.broadcast_to(a, (count, *a.shape[1:])) for a in (x, h)]


def _product(c: Call, x: Array, weight: Array, start: Array | None = None) -> Array:
    """x (P, B, K) times weight (K, N); `start` (N,) or (P, B, N) is one of the terms."""
    if start is not None:
        start = start.reshape((1,) * (3 - start.ndim) + start.shape)
    return dot(c.m, np.moveaxis(x, -1, 0)[..., None], weight[:, None, None, :], start)


def _mix(c: Call, share: Array, a: Array, other: Array, b: Array) -> Array:
    """share · a + other · b, either product fused where products are."""
    if c.m.variant(2) == 0:
        return c.m.multiply_add(share, a, c.m.mul(other, b))
    return c.m.multiply_add(other, b, c.m.mul(share, a))


State = tuple[Array, Array]


def _rnn(w: Weights, x: Array, state: State) -> State:
    h, c = state
    return w.active(0, w.gates(x, h, w.part(0))), c


def _lstm(w: Weights, x: Array, state: State) -> State:
    h, cell = state
    i, o, f = (w.active(0, w.gates(x, h, w.part(k))) for k in range(3))
    new = w.active(1, w.gates(x, h, w.part(3)))
    cell = _mix(w.c, f, cell, i, new)
    return w.c.m.mul(o, w.active(2, cell)), cell


def _gru(w: Weights, x: Array, state: State) -> State:
    h, cell = state
    m = w.c.m
    z, r = (w.active(0, w.gates(x, h, w.part(k))) for k in range(2))
    last = w.part(2)
    if w.c.get("linear_before_reset", 0):
        before = m.add(_product(w.c, h, w.of_state[:, last]), w.state_bias[last])
        given = m.add(_product(w.c, x, w.of_input[:, last]), w.bias[last])
        new = w.active(1, m.multiply_add(r, before, given))
    else:
        new = w.active(1, w.gates(x, m.mul(r, h), last))
    return _mix(w.c, m.sub(ONE.reshape(1, 1, 1), z), new, z, h), cell


STEPS: dict[str, Callable[[Weights, Array, State], State]] = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}


def _weights(c: Call, direction: int, count: int, size: int) -> Weights:
    gates = GATES[c.kind] * size
    biases = c.arg(3)[0, direction] if c.has(3) else np.zeros(2 * gates, np.float32)
    usual = USUAL[c.kind]
    names = [n.decode() for n in c.get("activations", [])] or list(usual) * count
    return Weights(
        c,
        c.arg(1)[0, direction].T,
        c.arg(2)[0, direction].T,
        biases[:gates],
        biases[gates:],
        tuple(names[direction * len(usual) : (direction + 1) * len(usual)]),
    )


def _first(c: Call, place: int, direction: int, shape: Sequence[int]) -> Array:
    return c.arg(place)[:, direction] if c.has(place) else np.zeros((1, *shape), np.float32)


def recurrent(c: Call) -> list[Array]:
    """The states of all steps (P, T, D, B, H), and the last of them (P, D, B, H), of a cell too."""
    c.refuse(layout=0, clip=None, input_forget=0)
    if c.has(4) or c.has(7) or any(a is not None and a.shape[0] != 1 for a in c.args[1:4]):
        raise NotEmulated(f"{c.kind} with lengths, peepholes or weights that depend on the input")
    x, size = c.arg(0), c.arg(2).shape[-1]
    kind = c.get("direction", b"forward").decode()
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[kind]
    every, ends = [], []
    for k, backward in enumerate(backwards):
        w = _weights(c, k, len(backwards), size)
        state = _first(c, 5, k, (x.shape[2], size)), _first(c, 6, k, (x.shape[2], size))
        steps = []
        for t in range(x.shape[1])[:: -1 if backward else 1]:
            state = STEPS[c.kind](w, x[:, t], state)
            steps.append(state[0])
        every.append(np.stack(steps[::-1] if backward else steps, axis=1))
        ends.append(state)
    last = [np.stack(part, axis=1) for part in zip(*ends, strict=True)]
    return [np.stack(every, axis=2), *(last if c.kind == "LSTM" else last[:1])]


RECURRENT: dict[str, Rule] = dict.fromkeys(STEPS, recurrent)
