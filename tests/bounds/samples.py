"""Boxes, rows and points to hold bounds against."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.bounds import Certified, Interval, Rows
from genbab.network import Network, evaluate
from tests.soundness.graphs import random_box

TAME = {"relu", "tanh", "sigmoid", "sin", "gelu", "softplus", "silu"}


def samples(box: Interval, count: int, seed: int = 0) -> Tensor:
    """Points (B, M, D) of the boxes, corners among them."""
    generator = torch.Generator().manual_seed(seed)
    part = torch.rand(box[0].shape[0], count, box[0].shape[1], generator=generator, dtype=torch.float64)
    part[:, : count // 4] = part[:, : count // 4].round()
    return box[0][:, None] + part * (box[1] - box[0])[:, None]


def boxes(seed: int, size: int, batch: int, radius: float = 0.7) -> Interval:
    """(B, D) boxes."""
    ends = [random_box(100 * seed + b, size, radius) for b in range(batch)]
    return torch.stack([low for low, _ in ends]), torch.stack([high for _, high in ends])


def some_rows(network: Network, seed: int, batch: int, count: int = 3) -> Rows:
    """Random rows of the outputs, in every second case on the inputs too; some are zero."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(batch, count, network.output_size, generator=generator, dtype=torch.float64)
    matrix[:, -1, 0] = 0.0
    on_input = torch.randn(batch, count, network.input_size, generator=generator, dtype=torch.float64)
    return Rows(network.output, matrix, on_input if seed % 2 else None)


def row_values(rows: Rows, network: Network, x: Tensor) -> Tensor:
    """The rows' values (B, M, S) at x (B, M, D)."""
    total = evaluate(network, x) @ rows.matrix.mT
    return total if rows.on_input is None else total + x @ rows.on_input.mT


def parts(known: Certified) -> tuple[Tensor, Tensor, Tensor]:
    """(bound, form, constant) of what is proved."""
    return known.bound, known.form, known.constant


def assert_below(known: Certified, rows: Rows, network: Network, x: Tensor, box: Interval) -> None:
    """The form lies below the rows at the points, the bound below the form on the box, and neither is NaN."""
    bound, form, constant = parts(known)
    assert not bool(bound.isnan().any())
    seen = row_values(rows, network, x)
    line = x @ form.mT + constant[:, None]
    good = seen.isfinite() & line.isfinite()
    slack = 1e-9 * (1 + seen.abs() + (x.abs() @ form.abs().mT) + constant.abs()[:, None])
    assert bool((line <= seen + slack)[good].all())
    assert bool((bound[:, None] <= seen + slack)[seen.isfinite()].all())
    corner = torch.where(form > 0, box[0][:, None], box[1][:, None])
    own = torch.nan_to_num((form * corner).sum(-1) + constant, nan=-torch.inf, neginf=-torch.inf)
    finite = own.isfinite()
    assert bool((bound <= own + 1e-9 * (1 + own.abs()))[finite].all()) and torch.equal(
        bound[~finite], own[~finite]
    )
