"""The checker's table of elementary functions is nowhere below those of the library."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genbab.check.executed import table
from genbab.check.functions.formula import Formula, Taylor, evaluate
from genbab.check.intervals import Array
from genbab.check.model.operators.activations import FORMULAS
from genbab.check.model.operators.node import Node
from genbab.check.model.program import Fixed, Program, Wire
from genbab.network.rounding.elementary import TABLES, of_pieces
from genbab.network.rounding.elementary import table as measured
from genbab.network.rounding.formats import FLOAT32

NAMES = {"elu": "elu(1)", "celu": "celu(1)", "selu": "selu(1.67326, 1.0507)"}
"""Names of the library's tables, where they are others."""


def formula(name: str) -> Formula:
    """What the checker takes the function to be."""
    attributes = {"approximate": b"tanh"} if name == "gelu_tanh" else {}
    words = {"gelu_tanh": "Gelu", "hard_swish": "HardSwish", "reciprocal": "Reciprocal"}
    inputs: list[Wire | Fixed] = [Wire(0, (1,))]
    op = words.get(name, name.capitalize())
    if name.startswith("power"):
        exponent = np.asarray(float(name[6:-1]))
        op, inputs = "Pow", [*inputs, Fixed(exponent, exponent)]
    return FORMULAS[op](Node(Program(1), op, "", attributes, inputs, 1, 20))


def numbers() -> Array:
    """Numbers of float32 of all sizes, and many of moderate ones."""
    far = np.logspace(-45, 38.53, 6000)
    near = np.linspace(-200, 200, 60001)
    some = np.concatenate([far, -far, near, [0.0, table.MOST, -table.MOST]])
    return np.unique(np.clip(some, -table.MOST, table.MOST).astype(np.float32)).astype(np.float64)


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("name", table.TABLE)
def test_the_table_is_not_below_the_measured_ones(name: str, library: str) -> None:
    import torch

    x = numbers()
    known, pieces = table.TABLE[name], measured(library, FLOAT32).pieces(NAMES.get(name, name))
    with np.errstate(all="ignore"):
        value = evaluate(formula(name), [Taylor((x, x))], np.zeros(len(x), dtype=np.int64)).value
        size = np.maximum(np.abs(value[0]), np.abs(value[1]))
        mine = known.error((x, x), size)
        ends = torch.from_numpy(x)[None]
        theirs = of_pieces(pieces, ends, ends, torch.from_numpy(size)[None]).numpy()[0]
    usable = np.isfinite(mine) & np.isfinite(size)
    assert usable.sum() > 100
    at_ends = np.isin(x, [end for p in pieces for end in (p.low, p.high)])  # where two of theirs meet
    assert (mine >= theirs * (1 - 1e-6))[usable & ~at_ends].all()


def test_intervals_get_the_worst_piece_that_they_meet() -> None:
    known = table.Known(0.0, (table.Stretch(1.0, 0.5, 0.0), table.Stretch(2.0, 0.25, 1.0)))
    low, high = np.array([0.0, 0.5, 1.5, -1e-9, 1.9]), np.array([0.5, 1.5, 2.0, 0.0, 2.1])
    found = known.error((low, high), np.full(5, 2.0))
    assert found[:3] == pytest.approx([0.5, 2.25, 2.25], rel=1e-5) and math.isinf(found[3] + found[4])


def test_numbers_next_to_a_pole_are_not_known() -> None:
    x = np.array([1e-39, 2e-38, -1.0]), np.array([1.0, 1.0, 1.0])
    assert np.isinf(table.TABLE["reciprocal"].error(x, np.ones(3))).tolist() == [True, False, True]


def test_units_in_the_last_place_hold_for_every_function() -> None:
    known = table.known("4ulp", "anything")
    assert known is not None
    one = np.ones(1)
    assert known.error((one, one), one)[0] >= 4 * 2.0**-23
    assert table.known("onnxruntime", "anything") is None
    assert [table.is_table(n) for n in ("torch", "4ulp", "999ulp", "0ulp", "ulp", "4 ulp", None)] == [
        *[True] * 3,
        *[False] * 4,
    ]
