"""BBPS agrees with propagating by hand, and its filters with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import Relaxation
from genbab.branch import Shortcuts
from genbab.branch.bbps import bbps_score, matrix_gains
from genbab.branch.scores import (
    free_gains,
    line_gains,
)
from genbab.branch.trials import View
from genbab.network import Input, Network, Nonlinear
from genbab.network.graph import values
from tests.branch.rooted import F64, SEEDS, all_exact, seen


def test_exact_bbps_is_propagation_by_hand() -> None:
    """The node's contribution before and after, written with its shortcuts, minimised over the box."""
    for seed in SEEDS:
        view, shortcuts, *_ = seen(seed)
        for node in view.points:
            for gain, cut in zip(all_exact(shortcuts, view, node), view.cuts(node), strict=True):
                for j in range(gain.shape[-1]):
                    assert float(gain[0, 0, j]) == pytest.approx(
                        by_hand(view, shortcuts, node, j, cut), abs=1e-6
                    )


def by_hand(view: View, shortcuts: Shortcuts, node: int, j: int, cut: tuple[Tensor, Tensor]) -> float:
    """The gain of one child of one neuron, one number at a time."""
    place = shortcuts.places(node)
    assert place is not None
    below, above = (side[place[j]] for side in shortcuts.rows(node))
    network = view.relaxation.network
    before, after, constant, same = 0.0, 0.0, 0.0, 0.0
    for reader in network.consumers[node]:
        reading = network.nodes[reader]
        assert isinstance(reading, Nonlinear)
        line = view.lines[reader]
        a, k, c, up = (
            float(t.expand_as(line.coefficients)[0, 0, j])
            for t in (line.coefficients, line.slopes[0], line.intercept, line.upper)
        )
        small = Network((Input(1), Nonlinear(reading.fn, (0,), 1)), 1)
        one = (cut[0][:, j : j + 1], cut[1][:, j : j + 1])
        lines = Relaxation(small, [one, one], F64).lines(1)
        side = torch.full((1, 1, 1), up, dtype=F64)
        slope = lines.default(side)
        own = float(lines.intercept(slope, side, rigorous=False)[0])
        kept = float(lines.intercept((torch.full((1, 1, 1), k, dtype=F64),), side, rigorous=False)[0])
        before, after = before + a * k, after + a * float(slope[0])
        constant, same = constant + a * (own - c), same + max(0.0, a * (kept - c))

    def form(coefficient: float) -> Tensor:
        return coefficient * (below if coefficient > 0 else above)

    change = form(after) - form(before)
    row = view.one.coefficients[0, 0]
    low, high = view.box[0][0], view.box[1][0]

    def least(f: Tensor) -> float:
        return float((f * torch.where(f > 0, low, high)).sum())

    return max(same, 0.0, least(row + change[:-1]) - least(row) + float(change[-1]) + constant)


def test_the_matrix_form_is_never_below_the_exact_one() -> None:
    apart = 0.0
    for seed in SEEDS:
        view, shortcuts, *_ = seen(seed, rows=2)
        for node in view.points:
            for rough, exact in zip(
                matrix_gains(shortcuts, view, node), all_exact(shortcuts, view, node), strict=True
            ):
                assert bool((rough >= exact - 1e-7).all())
                apart = max(apart, float((rough - exact).max()))
    assert apart > 1e-3


def test_anchored_estimates_are_those_of_lines_where_nothing_moves() -> None:
    """On a box of one point; where two functions read the node, their lines are chosen together, not each."""
    for seed in SEEDS:
        view, shortcuts, *_ = seen(seed)
        for node in view.points:
            free = free_gains(view, node)
            for certain, gain in zip(free, all_exact(shortcuts, view, node, anchored=True), strict=True):
                assert bool((gain >= certain - 1e-7).all())
            query = replace(view.domains.query, lower=view.one.corner[:, 0], upper=view.one.corner[:, 0])
            point = replace(view, domains=replace(view.domains, query=query))
            single = len(view.relaxation.network.consumers[node]) == 1
            exact = all_exact(shortcuts, point, node, anchored=True)
            for rough, gain in zip(line_gains(point, node), exact, strict=True):
                assert bool((gain <= rough + 1e-6).all())
                assert not single or torch.allclose(rough, gain, atol=1e-6)


@pytest.mark.parametrize("anchored", (False, True))
def test_estimates_for_the_first_layer_are_true(anchored: bool) -> None:
    """Shortcuts are exact there: no input that leads into the child is below the bound that is promised."""
    checked = 0
    for seed in SEEDS:
        view, shortcuts, engine, _ = seen(seed)
        query = view.domains.query
        generator = torch.Generator().manual_seed(seed)
        x = query.lower + torch.rand(4000, 3, generator=generator, dtype=F64)
        known = values(engine.exact, x)
        row = (known[-1] @ query.matrix[0].T).squeeze(-1)
        for gain, cut in zip(all_exact(shortcuts, view, 1, anchored), view.cuts(1), strict=True):
            for j in range(gain.shape[-1]):
                inside = (cut[0][0, j] <= known[1][:, j]) & (known[1][:, j] <= cut[1][0, j])
                if bool(inside.any()):
                    checked += 1
                    assert float(row[inside].min()) >= float(view.one.bound[0, 0] + gain[0, 0, j]) - 1e-6
    assert checked > 20


def test_the_filter_keeps_the_best() -> None:
    """With a short list of a third, the pick is one of the three best of the exact estimate of all."""
    hits = 0
    for seed in SEEDS:
        view, shortcuts, *_ = seen(seed)
        total = sum(p.shape[1] for p in view.points.values())
        every = torch.cat(list(bbps_score(shortcuts, anchored=False, shortlist=total)(view).values()), 1)[0]
        few = bbps_score(shortcuts, anchored=False, shortlist=total // 3)(view)
        chosen = torch.cat(list(few.values()), 1)[0]
        assert bool((torch.isclose(chosen, every) | (chosen == 0)).all())
        hits += bool(chosen.argmax() == every.argmax())
    assert hits >= len(SEEDS) - 1


def test_shortcuts_hold_and_keep_to_their_memory() -> None:
    for seed in SEEDS:
        view, shortcuts, engine, _ = seen(seed)
        query = view.domains.query
        generator = torch.Generator().manual_seed(seed)
        x = query.lower + torch.rand(500, 3, generator=generator, dtype=F64)
        known = values(engine.exact, x)
        for node in view.points:
            place = shortcuts.places(node)
            assert place is not None and bool((place >= 0).all())
            below, above = (x @ side[place][:, :-1].T + side[place][:, -1] for side in shortcuts.rows(node))
            assert bool((below <= known[node] + 1e-9).all() and (known[node] <= above + 1e-9).all())
        few = Shortcuts(engine, 2 * shortcuts.nbytes // 5)
        for part in (torch.tensor([4, 1, 3]), torch.tensor([0, 2])):
            few.record(1, part, torch.ones(1, 2 * len(part), 3, dtype=F64), torch.ones(1, 2 * len(part)))
        kept = few.places(1)
        assert kept is not None and kept.tolist() == [-1, 1, -1, -1, 0]
        small = Shortcuts(engine, shortcuts.nbytes // 2)
        small.complete((query.lower, query.upper), view.relaxation.intervals, 60.0)
        assert 0 < small.nbytes <= shortcuts.nbytes // 2
        for score in (bbps_score(small), bbps_score(small, anchored=False)):
            assert all(bool(v.isfinite().all()) for v in score(view).values())
