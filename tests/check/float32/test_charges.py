"""What steps are charged is paid by intervals, bands and rows; what may be lost refutes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genbab.check.clauses import Left, kept
from genbab.check.functions.lines import ranges
from genbab.check.intervals import Array
from genbab.check.model.joins import rebuilt
from genbab.check.model.program import AffineStep, ElementwiseStep, Moment, Program, Wire
from genbab.check.model.reading import read
from genbab.check.model.values import Values, evaluate, extend
from genbab.check.passes.backward import bounded
from tests.check.files import network
from tests.check.passes import tight

TENSORS = ["z0", "a0", "z1", "a1", "y"]


def charged(op: str, error: float) -> Program:
    """A network all of whose tensors are off by so much."""
    program = read(network([3, 6, 5, 2], op, seed=1))

    def charge(at: Moment) -> Array:
        return np.full((1, at.step.size), error)

    for name in TENSORS:
        number = number_of(program, name)
        step = program.steps[number]
        assert step is not None
        program.steps[number] = replace(step, charge=charge)
    return rebuilt(program, {}, TENSORS)


def number_of(program: Program, name: str) -> int:
    wire = program.tensors[name]
    assert isinstance(wire, Wire)
    return wire.step


def executed(program: Program, x: Array, error: float, rng: np.random.Generator) -> list[Array]:
    """All steps at points (B, D), each charged one off by up to the error."""
    found = [x]
    for step in program.steps[1:]:
        if isinstance(step, AffineStep):
            value = sum((t.map.apply(found[t.source]) for t in step.terms), start=step.low)
        else:
            assert isinstance(step, ElementwiseStep)
            flat = found[step.sources[0]].ravel()
            entries = np.tile(np.arange(step.size), len(x))
            value = ranges(step.formula, entries, [(flat, flat)])[0].reshape(len(x), -1)
        off = rng.choice([-1.0, 1.0, rng.random()], value.shape) * error
        found.append(value + off if step.charge is not None else value)
    return found


@pytest.mark.parametrize("op", ["Relu", "Tanh"])
@pytest.mark.parametrize("error", [0.0, 1e-3, 0.2])
def test_numbers_that_are_off_stay_within_all_bounds(op: str, error: float) -> None:
    program, rng = charged(op, error), np.random.default_rng(4)
    middle = rng.normal(size=(4, 3))
    box = middle - 0.1, middle + 0.1
    values = tight(program, box)
    out, rows = number_of(program, "y"), rng.normal(size=(3, 2))
    plain, found = evaluate(program, box), bounded(program, values, number_of(program, "y"), rows)
    assert values.bands and not values.lost.any()
    least = np.inf
    for _ in range(300):
        x = box[0] + 0.2 * rng.random((4, 3))
        for number, value in enumerate(executed(program, x, error, rng)):
            for known in (plain, values):
                low, high = known.ranges[number]
                assert (value >= low - 1e-12).all() and (value <= high + 1e-12).all()
            if number == out:
                gap = value @ rows.T - found
                assert (gap >= -1e-12).all()
                least = min(least, float(gap.min()))
    assert least < 0.4 + 10 * error


def test_what_may_be_infinite_is_lost_unless_the_box_is_empty() -> None:
    program = charged("Tanh", np.inf)
    x = np.zeros((2, 3))
    assert evaluate(program, (x, x)).lost.all()
    values = Values([(np.array([[0.0] * 3, [1.0] * 3]), np.array([[0.0] * 3, [-1.0] * 3]))])
    while len(values.ranges) < len(program.steps):
        extend(program, values, {})
    assert values.lost.tolist() == [True, False] and values.empty.tolist() == [False, True]


def test_boxes_that_are_lost_stay_as_they_were() -> None:
    none, box = np.zeros((2, 1)), (np.zeros((2, 1)), np.ones((2, 1)))
    left = Left(none > 0, none + 5.0, none + 0.5, none + 0.6)
    found = kept(left, np.array([True, False]), none == 0, box)
    assert found.open.ravel().tolist() == [True, False] and found.margin[0, 0] == -np.inf
    assert found.low.ravel().tolist() == [0.0, 0.5] and found.high.ravel().tolist() == [1.0, 0.6]
