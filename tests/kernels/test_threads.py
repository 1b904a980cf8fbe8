"""Compiled loops over ranges of rows: every row once, whatever the number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("numba")

from genbab.kernels import Backend, Function, implementation
from genbab.kernels.cpu.threads import SHARE, spread
from tests.kernels.cases import make


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("rows", "size"), [(0, 10), (1, 10 * SHARE), (2, SHARE), (101, SHARE), (7, 3)])
def test_every_row_is_done_once(rows: int, size: int, threads: int) -> None:
    done, calls = np.zeros(rows, int), []

    def loop(begin: int, end: int, target: Any) -> None:
        calls.append((begin, end))
        target[begin:end] += 1

    spread(loop, rows, size, done)
    assert (done == 1).all()
    assert len(calls) == max(1, min(threads, rows, rows * size // SHARE))


def test_what_a_thread_raises_is_raised(threads: int) -> None:
    def loop(begin: int, end: int) -> None:
        if end == 8:
            raise ValueError("of the last range")

    with pytest.raises(ValueError, match="last range"):
        spread(loop, 8, SHARE)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    kernels, before, found = implementation(Backend.NUMBA, torch.device("cpu")), torch.get_num_threads(), []
    case = make(Function("sigmoid"), torch.float32, (40, 3, 2000))
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(kernels.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults))
    finally:
        torch.set_num_threads(before)
    one, other = found
    assert one.intercept is not None and one.upper is not None
    assert other.intercept is not None and other.upper is not None
    assert torch.equal(one.bias, other.bias) and torch.equal(one.forms[0], other.forms[0])
    assert torch.equal(one.intercept, other.intercept) and torch.equal(one.upper, other.upper)
