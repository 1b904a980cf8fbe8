"""Inputs of integers in an attack: all of them where they are few, and steps from one to the next."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.attack.descent import Best, Field, Watch, projected
from genbab.attack.targets import Targets
from genbab.network import WholeInputs

COLUMNS = 64
"""Inputs whose neighbours are tried in one step, at most."""

STEPS = 16
"""Steps to a better neighbour, at most."""

POINTS = 20_000
"""Neighbours of all clauses in one step, at most."""


def gridded(whole: WholeInputs, low: Tensor, high: Tensor, x: Tensor) -> Tensor:
    """Samples x (K, P, D) of boxes (K, 1, D); where one has at most P choices of integers, all of these."""
    count, size = x.shape[1], (high - low + 1)[:, 0, whole.columns].double()
    small = (size.prod(-1) <= count).nonzero().squeeze(-1)
    size = size[small].long()
    varies = (size > 1).any(0)
    size, columns = size[:, varies], whole.columns[varies]
    if not small.numel() or not columns.numel():
        return x
    stride = size.cumprod(-1) // size
    number = torch.arange(count, device=x.device)[None, :, None]
    found = low[small][..., columns] + (number // stride[:, None] % size[:, None]).to(x.dtype)
    x = x.clone()
    x[small[:, None], :, columns] = found.transpose(1, 2)
    return x


def walked(
    field: Field,
    targets: Targets,
    box: tuple[Tensor, Tensor],
    start: Best,
    generator: torch.Generator,
    watch: Watch,
) -> Best:
    """The best points (C, 1, D) that steps to the best neighbour reach, inside box (C, 1, D), (C, 1, D).

    Neighbours of a point have one integer more or less by 1, or another one at random.
    """
    whole, (low, high) = field.network.entry.whole, box
    best = start
    for _ in range(STEPS if whole is not None else 0):
        assert whole is not None
        field.check()
        varies = (low < high)[:, 0, whole.columns].any(0).nonzero().squeeze(-1)
        few = varies[torch.randperm(len(varies), generator=generator).to(varies.device)[:COLUMNS]]
        if not len(few) or 3 * len(few) * len(best.x) > POINTS:
            break
        x = projected(field.network, _neighbours(best.x, box, whole.columns[few], generator), low, high)
        margins = targets.margins(x, field.values(x))
        if watch(x, margins):
            break
        least, place = margins.min(-1, keepdim=True)
        found = x.gather(1, place[..., None].expand(-1, -1, x.shape[-1]))
        if not bool((least < best.margins).any()):
            break
        best = best.improved(found, least)
    return best


def _neighbours(x: Tensor, box: tuple[Tensor, Tensor], columns: Tensor, generator: torch.Generator) -> Tensor:
    """Points (C, 3 n, D) that differ from x (C, 1, D) in one of n columns each."""
    n = len(columns)
    low, high = (end[..., columns].squeeze(1) for end in box)
    chance = torch.rand(low.shape, generator=generator, dtype=low.dtype).to(low.device)
    drawn = (low + chance * (high - low)).round()
    mine = x[:, 0, columns]
    values = torch.cat([mine - 1, mine + 1, drawn], -1)
    made = x.repeat(1, 3 * n, 1)
    made[:, torch.arange(3 * n, device=x.device), columns.repeat(3)] = values
    return made
