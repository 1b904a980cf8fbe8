"""Guards against NaN after a softmax: taken away where they are understood, refused where they are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader import Model

Load = Callable[..., Model]

MASK = "m = Constant <value = float[3,3] {0, -inf, 1, -inf, -inf, -inf, 0, 0, -inf}> ()"
GUARDED = f"""
    zero = Constant <value_float = 0.0> ()
    {MASK}
    s = Add(x, m)
    p = Softmax <axis = -1> (s)
    bad = IsNaN(p)
    y = Where(bad, zero, p)
"""


def test_rows_without_an_entry_are_zero(written: Load) -> None:
    model = written(GUARDED, shape="3,3")
    x = torch.tensor([[0.3, 9.0, -0.5], [1.0, 2.0, 3.0], [0.1, -0.2, 5.0]], dtype=torch.float64)
    gate = torch.sigmoid(x[0, 0] - x[0, 2] - 1)
    other = torch.sigmoid(x[2, 0] - x[2, 1])
    wanted = torch.tensor([[gate, 0, 1 - gate], [0, 0, 0], [other, 1 - other, 0]], dtype=torch.float64)
    assert torch.allclose(evaluate(model.network, x.reshape(-1)).reshape(3, 3), wanted, rtol=0, atol=1e-14)


def test_a_guard_that_nothing_needs(written: Load) -> None:
    model = written(GUARDED.replace("-inf", "-2"), shape="3,3")
    x = np.random.default_rng(0).standard_normal((3, 3))
    assert np.allclose(evaluate(model.network, torch.from_numpy(x.reshape(-1))).reshape(3, 3).sum(-1), 1.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p = Softmax <axis = -1> (s)", "p = Log(x)"),  # NaN for other reasons than a mask
        ("value_float = 0.0", "value_float = 1.0"),
        ("bad = IsNaN(p)", "bad = IsNaN(s)"),
        ("Where(bad, zero, p)", "Where(bad, p, zero)"),
        (
            "y = Where(bad, zero, p)",
            "q = Where(bad, zero, p)\ny = Add(q, p)",
        ),  # the softmax itself is used too
    ],
)
def test_other_guards_are_refused(written: Load, old: str, new: str) -> None:
    assert old in GUARDED
    with pytest.raises(ModelError, match="IsNaN|minus infinity"):
        written(GUARDED.replace(old, new), shape="3,3")
