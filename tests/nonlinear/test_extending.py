"""The function that docs/extending.md adds is one: its lines hold, and it is what its definition says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from genbab.nonlinear import default_slopes, intercept, interval, kernel_of, make
from genbab.nonlinear.composed.formula import function
from genbab.nonlinear.facts.registry import DEFINITIONS
from tests.registered import forgotten  # noqa: F401

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
FILE = "genbab/nonlinear/functions/bent.py"


@pytest.mark.usefixtures("forgotten")
def test_the_function_on_the_page_is_one() -> None:
    found = re.search(rf'```py title="{FILE}"\n(.*?)^```$', PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    exec(compile(found.group(1), FILE, "exec"), {})
    fn = make("bent")
    assert kernel_of(fn) is None
    x = torch.linspace(-40.0, 40.0, 4001, dtype=torch.float64)
    torch.testing.assert_close(fn.value(x), function(DEFINITIONS["bent"]).value(x))
    generator = torch.Generator().manual_seed(0)
    ends = 6.0 * torch.randn(2, 200, 1, generator=generator, dtype=torch.float64)
    low, high = ends.amin(0), ends.amax(0)
    inside = low + (high - low) * torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    seen, slack = fn.value(inside), 1e-12 * (1.0 + inside.abs())
    least, most = interval(fn, low, high)
    assert bool(((least <= seen) & (seen <= most)).all())
    for upper, slope in zip((False, True), default_slopes(fn, low, high), strict=True):
        gap = seen - slope * inside - intercept(fn, slope, low, high, upper)[0]
        assert bool((gap <= slack).all() if upper else (gap >= -slack).all())
        assert float(gap.abs().amin(-1).max()) < 1e-2, "and touch"
