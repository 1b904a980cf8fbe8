"""Tensors whose shape depends on the input in a few cases: slices that begin where an integer says.

Each case is read as if it were the only one. The tensors of all cases are put together again, weighted by
truth values of which one is 1, where numbers of one shape come out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genbab.network import Identity
from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import add, apply, combine, multiply, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import (
    Array,
    Inexact,
    Op,
    Refused,
    Value,
    Var,
    constant,
    given,
    needed,
    positive_axis,
)

CASES = 16
"""The most cases that are told apart."""

Fork = tuple[int, int]
"""(node of the number at which a slice of length 1 begins, length of the axis): the cases are inside and
beyond.
"""

Case = frozenset[tuple[Fork, bool]]


@dataclass(frozen=True, eq=False)
class Forked:
    """What a tensor is in each case; a case says of every fork whether the slice is inside."""

    cases: Mapping[Case, Any]

    @property
    def forks(self) -> frozenset[Fork]:
        """The forks that the tensor depends on."""
        return frozenset(fork for case in self.cases for fork, _ in case)


def forked(
    b: Builder, inputs: Sequence[Any], run: Callable[[list[Any]], Sequence[Any]], outputs: int
) -> list[Any]:
    """The outputs of a node some of whose inputs have cases, case by case."""
    forks = sorted(frozenset().union(*(v.forks for v in inputs if isinstance(v, Forked))))
    if 2 ** len(forks) > CASES:
        raise Refused(f"tensors of more than {CASES} different shapes, as the network's input says")
    made: dict[Case, Sequence[Any]] = {}
    for ends in itertools.product((True, False), repeat=len(forks)):
        case = frozenset(zip(forks, ends, strict=True))
        made[case] = run([_in_case(v, case) for v in inputs])
    return [_joined(b, {case: one[i] for case, one in made.items()}) for i in range(outputs)]


def _in_case(value: Any, case: Case) -> Any:
    """The value in a case: that of the one of its own cases that agrees."""
    if not isinstance(value, Forked):
        return value
    return next(one for own, one in value.cases.items() if own <= case)


def _joined(b: Builder, cases: Mapping[Case, Any]) -> Any:
    """Numbers of one shape as one tensor; others stay apart, as do integers, which are mostly shapes."""
    cases = {case: b.variable(v) if isinstance(v, Inexact) else v for case, v in _flat(cases).items()}
    values = list(cases.values())
    if all(v is values[0] for v in values):
        return values[0]
    if any(not isinstance(v, Var | np.ndarray) for v in values):
        raise Refused("a tensor whose shape depends on the network's input")
    kinds = {v.element if isinstance(v, Var) else elements.of_dtype(v.dtype) for v in values}
    if len({tuple(v.shape) for v in values}) > 1 or not kinds <= set(elements.DIGITS):
        return Forked(dict(cases))
    return merged(b, cases)


def _flat(cases: Mapping[Case, Any]) -> dict[Case, Any]:
    """The cases with those of tensors that have cases of their own written out."""
    found: dict[Case, Any] = {}
    for case, value in cases.items():
        for own, one in value.cases.items() if isinstance(value, Forked) else [(frozenset(), value)]:
            if not any((fork, not inside) in case for fork, inside in own):
                found[case | own] = one
    return found


def merged(b: Builder, cases: Mapping[Case, Value]) -> Value:
    """Σ (1 where it is the case, else 0) · value: the value of the case that is."""
    base = next((v for v in cases.values() if not isinstance(v, Var)), None)
    total: Value | None = base
    for case, value in cases.items():
        if value is base or (base is not None and not isinstance(value, Var) and np.array_equal(value, base)):
            continue
        change = value if base is None else combine(b, [(value, 1.0), (base, -1.0)])
        part = multiply(b, _is_case(b, case), change)
        total = part if total is None else add(b, total, part)
    assert total is not None
    kind = next((v.element for v in cases.values() if isinstance(v, Var)), 0)
    return replace(total, element=kind) if isinstance(total, Var) else total


def _is_case(b: Builder, case: Case) -> Var:
    """1 where it is the case, else 0."""
    truth: Value = np.ones(())
    for fork, inside in sorted(case):
        one = _inside(b, fork)
        truth = multiply(b, truth, one if inside else combine(b, [(np.ones(()), 1.0), (one, -1.0)]))
    assert isinstance(truth, Var)
    return truth


def _inside(b: Builder, fork: Fork) -> Var:
    node, length = fork
    made = apply(b, "step", combine(b, [(Var(node, ()), -1.0), (np.array(length - 0.5), 1.0)]))
    assert isinstance(made, Var)
    return made


def begins_anywhere(op: Op, inputs: Sequence[Any]) -> bool:
    """Whether the node is a slice whose ends are computed."""
    return op.kind == "Slice" and op.opset >= 10 and any(isinstance(v, Var) for v in inputs[1:3])


def sliced(b: Builder, op: Op, inputs: Sequence[Any]) -> list[Any]:
    """A slice from s to s + 1 along one axis: an entry where s is in the axis, nothing beyond it."""
    x, start, end = (needed(inputs, i) for i in range(3))
    axes, steps = (constant(given(inputs, i), "its axes and steps") for i in (3, 4))
    if not isinstance(start, Var) or not isinstance(end, Var) or start.size != 1 or end.size != 1:
        raise Refused("ends that depend on the network's input, but not from s to s + 1 along one axis")
    if not _follows(b, start, end) or (steps is not None and steps.ravel().tolist() != [1]):
        raise Refused("ends that depend on the network's input, but not from s to s + 1 along one axis")
    axis = positive_axis(0 if axes is None else int(axes.ravel()[0]), len(x.shape))
    number = _place(b, start, x.shape[axis])
    inside = _entry(b, x, number, axis)
    nothing = np.zeros(tuple(0 if i == axis else n for i, n in enumerate(x.shape)), np.float32)
    if not isinstance(x, Var):
        nothing = nothing.astype(x.dtype)
    fork = (number.node, x.shape[axis])
    return [Forked({frozenset({(fork, True)}): inside, frozenset({(fork, False)}): nothing})]


def _follows(b: Builder, start: Var, end: Var) -> bool:
    """Whether `end` is start + 1."""
    made = b.sums.get(end.node)
    if made is None or len(made.terms) != 1 or made.bias.tolist() != [1.0]:
        return False
    source, one = made.terms[0]
    return source == start.node and isinstance(one, Identity)


def _place(b: Builder, start: Var, length: int) -> Var:
    """The place at which the slice begins.

    Where the number is negative, it counts from the end of the axis: there any place is taken to be
    possible.
    """
    if span(b, start)[0] >= 0:
        return start.reshaped(())
    key = start.node, length
    if key not in b.places:
        kept = b.nonlinear(function("within", -0.5, 2.0 * elements.EXACT), start.reshaped(()))
        b.integral.add(kept.node)
        b.places[key] = replace(kept, element=start.element)
    return b.places[key]


def _entry(b: Builder, x: Value, number: Var, axis: int) -> Value:
    """x at the number along the axis, which is kept; anything where there is no such entry."""
    length = x.shape[axis]
    if not isinstance(x, Var):
        first = np.take(x, [0], axis=axis)
        places = np.arange(length).reshape([-1 if i == axis else 1 for i in range(len(x.shape))])
        if bool((x == first).all()):
            return first
        if x.dtype.kind in "iu" and bool((x - first == places).all()):
            return _known(b, combine(b, [(number, 1.0), (first, 1.0)]), x)
    hits = equal(b, number.reshaped((1,)), np.arange(length))
    along = (
        hits.reshape([-1 if i == axis else 1 for i in range(len(x.shape))])
        if not isinstance(hits, Var)
        else (hits.reshaped([length if i == axis else 1 for i in range(len(x.shape))]))
    )
    found = multiply(b, along, x) if isinstance(x, Var) else scale(b, along, x)
    total = reduce_sum(b, b.variable(found), [axis])
    return replace(total, element=x.element) if isinstance(x, Var) else _known(b, total, x)


def _known(b: Builder, found: Value, x: Array) -> Value:
    """The entry, known to be one of those of x."""
    if not isinstance(found, Var):
        return found
    if x.dtype.kind in "iu":
        copy = b.affine(found.shape, [(found.node, Identity(found.size))])
        b.known[copy.node] = float(x.min()), float(x.max())
        found = copy
    return replace(found, element=elements.of_dtype(x.dtype))
