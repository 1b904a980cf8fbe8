"""Errors of parts of a network: answers that are kept are those of the same question."""

from __future__ import annotations

import gc

import torch
from torch import Tensor

from genbab.network import Affine, Index, Input, Network
from genbab.network.rounding.region import ErrorRegion
from genbab.network.rounding.steps import Rounding


def region(size: int = 2) -> ErrorRegion:
    """Numbers that are rounded to within a tenth of their size."""
    node = Affine(((0, Index(torch.arange(size), size)),), torch.zeros(size, dtype=torch.float64))
    network = Network((Input(size), node), 1)
    return ErrorRegion(network, {1: Rounding(unit=0.1)}, 1e30)


def interval(*ends: float) -> tuple[Tensor, Tensor]:
    low, high = torch.tensor([[-e for e in ends]]), torch.tensor([list(ends)])
    return low.double(), high.double()


def test_the_same_tensors_get_the_same_answer() -> None:
    error, asked = region(), interval(1.0, 2.0)
    assert error([asked]) is error([asked])
    equal = asked[0].clone(), asked[1].clone()
    assert error([equal]) is not error([asked]) and torch.equal(error([equal]), error([asked]))


def test_other_tensors_and_tensors_written_to_get_their_own() -> None:
    error, asked, wider = region(), interval(1.0, 2.0), interval(4.0, 8.0)
    first = error([asked])
    assert torch.equal(error([wider]), 4 * first) and torch.equal(error([asked]), first)
    for end in asked:
        end.mul_(2.0)
    assert torch.equal(error([asked]), 2 * first)


def test_nothing_is_kept_of_tensors_that_are_gone() -> None:
    error = region()
    error([interval(1.0, 2.0)])
    gc.collect()
    assert error._last._found is None
