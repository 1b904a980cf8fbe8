"""`If`, `Loop` and `Scan` with constant control: the branch that is taken, the turns one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from onnx import GraphProto

from genbab.nonlinear.groups.settled import Settled
from genbab.reader.convert.stopping import Stop, stopping
from genbab.reader.lower.moving.joining import stacked
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Masked, Op, Refused, Value, Var, positive_axis

Known = object
"""A tensor, a sequence of tensors, or the mark of a tensor that could not be made."""


class Body(Protocol):
    """The outputs of a subgraph, given what its inputs are; it sees the tensors around it."""

    def __call__(self, graph: GraphProto, inputs: Mapping[str, Known]) -> list[Known]:
        """The outputs."""

    def constant(self, name: str) -> object:
        """What is known of a tensor around it, None for nothing."""


Control = Callable[[Builder, Op, Sequence[Known], Body], list[Known]]

SETTLING = 16
"""Turns that are written out of a loop that stops when the network's numbers say so."""

TURNS = 10_000
"""The most turns of a loop that are written out."""

T = TypeVar("T")


def _truth(value: Known, what: str) -> bool:
    if not isinstance(value, np.ndarray):
        raise Refused(f"{what} depends on the network's input")
    return bool(value.reshape(-1)[0])


def _branch(b: Builder, op: Op, inputs: Sequence[Known], body: Body) -> list[Known]:
    """`If`: the branch that is taken."""
    taken = _truth(inputs[0], "its condition")
    return body(op.attributes["then_branch" if taken else "else_branch"], {})


def _loop(b: Builder, op: Op, inputs: Sequence[Known], body: Body) -> list[Known]:
    """`Loop`: the body, as often as the trip count and the conditions say."""
    graph: GraphProto = op.attributes["body"]
    names = [i.name for i in graph.input]
    turns, going = inputs[0], inputs[1] is None or _truth(inputs[1], "its condition")
    if turns is not None and not isinstance(turns, np.ndarray):
        raise Refused("its trip count depends on the network's input")
    most = TURNS + 1 if turns is None else int(turns.reshape(-1)[0])
    state = list(inputs[2:])
    rows: list[list[Known]] = [[] for _ in range(len(graph.output) - 1 - len(state))]
    turn = 0
    while going and turn < most:
        if turn == TURNS:
            raise Refused(f"more than {TURNS} turns")
        fixed = [np.array(turn, np.int64), np.array(True)]
        made = body(graph, dict(zip(names, [*fixed, *state], strict=True)))
        if not turn and not rows and isinstance(made[0], Var) and made[0].size == 1:
            states = [v for v in (*state, *made[1:]) if isinstance(v, Var | np.ndarray)]
            stop = stopping(graph, body.constant, max((v.size for v in states), default=1))
            if stop is not None:
                return _settled(b, op, made[1:], (turns, stop), lambda k, now: _turn(body, graph, k, now))
        going = _truth(made[0], "the condition of its body")
        state = made[1 : 1 + len(state)]
        for row, value in zip(rows, made[1 + len(state) :], strict=True):
            row.append(value)
        turn += 1
    return [*state, *(_stack(b, row, 0) for row in rows)]


def _turn(body: Body, graph: GraphProto, turn: int, state: Sequence[Known]) -> list[Known]:
    """The states after one more turn."""
    given = [np.array(turn, np.int64), np.array(True), *state]
    return body(graph, dict(zip([i.name for i in graph.input], given, strict=True)))[1:]


def _settled(
    b: Builder,
    op: Op,
    state: list[Known],
    when: tuple[Known, Stop],
    further: Callable[[int, list[Known]], list[Known]],
) -> list[Known]:
    """The states of a loop that goes on until one of them has settled, given those after one turn.

    A few turns are written out; whoever finds out what the turns come near can say more of the last one.
    """
    most = int(when[0].reshape(-1)[0]) if isinstance(when[0], np.ndarray) else None
    turns = SETTLING if most is None else min(most, SETTLING)
    for turn in range(1, turns):
        state = further(turn, state)
    found: list[Known] = []
    b.label = op.label
    for k, value in enumerate(state):
        if not isinstance(value, Var):
            raise Refused("the condition of its body depends on the network's input, and a state does not")
        tolerance = when[1].tolerance if k == when[1].state else None
        found.append(b.grouped(Settled(value.size, turns, most, tolerance), value))
    return found


def _scan(b: Builder, op: Op, inputs: Sequence[Known], body: Body) -> list[Known]:
    """`Scan`: the body on one slice after the other."""
    if op.opset < 9:
        raise Refused("the form of opset 8, with an axis of batches")
    graph: GraphProto = op.attributes["body"]
    names = [i.name for i in graph.input]
    number = op.integer("num_scan_inputs", 1)
    state, scanned = (
        list(inputs[: len(inputs) - number]),
        [_tensor(v) for v in inputs[len(inputs) - number :]],
    )
    axes = op.integers("scan_input_axes") or [0] * number
    back = op.integers("scan_input_directions") or [0] * number
    axes = [positive_axis(a, len(v.shape)) for a, v in zip(axes, scanned, strict=True)]
    turns = scanned[0].shape[axes[0]]
    outputs = len(graph.output) - len(state)
    rows: list[list[Known]] = [[] for _ in range(outputs)]
    for turn in range(turns):
        at = [turns - 1 - turn if r else turn for r in back]
        slices = [_slice(b, v, a, k) for v, a, k in zip(scanned, axes, at, strict=True)]
        made = body(graph, dict(zip(names, [*state, *slices], strict=True)))
        state = made[: len(state)]
        for row, value in zip(rows, made[len(state) :], strict=True):
            row.append(value)
    out_axes = op.integers("scan_output_axes") or [0] * outputs
    out_back = op.integers("scan_output_directions") or [0] * outputs
    ordered = [row[::-1] if r else row for row, r in zip(rows, out_back, strict=True)]
    return [*state, *(_stack(b, row, a) for row, a in zip(ordered, out_axes, strict=True))]


def _tensor(value: Known) -> Value:
    if not isinstance(value, Var | np.ndarray):
        raise Refused("a scanned input that is not a plain tensor")
    return value


def _slice(b: Builder, x: Value, axis: int, at: int) -> Value | Masked:
    def taken(parts: list[Array]) -> list[Array]:
        return [np.take(parts[0], at, axis=axis)]

    return arrange(b, [x], taken)[0]


def _stack(b: Builder, row: list[Known], axis: int) -> Known:
    """Values of one shape along a new axis."""
    values = [value for value in row if isinstance(value, Var | np.ndarray)]
    if len(values) < len(row):
        return row[0] if not isinstance(row[0], Var | np.ndarray) else row[-1]
    if not values:
        raise Refused("no turns, but an output that collects one value per turn")
    whole = stacked(b, values)
    if positive_axis(axis, len(whole.shape)) == 0:
        return whole
    return arrange(b, [whole], lambda parts: [np.moveaxis(parts[0], 0, axis)])[0]


CONTROL: dict[str, Control] = {"If": _branch, "Loop": _loop, "Scan": _scan}
