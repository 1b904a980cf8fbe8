"""BBPS agrees with propagating by hand, and its filters with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import Relaxation, Rows, WarmStart
from genbab.bounds.plan import rows_that_matter
from genbab.branch import HiddenForms, kink_or_middle
from genbab.branch.choose.neuron import view_of
from genbab.branch.choose.scores.bbps import bbps_score, matrix_gains
from genbab.branch.choose.scores.free import free_gains
from genbab.branch.choose.scores.line import line_gains
from genbab.branch.choose.shortcuts import stored
from genbab.branch.choose.view import DomainView
from genbab.network import Input, Network, Nonlinear
from genbab.network.computed.values import values
from tests.branch.rooted import F64, SEEDS, all_exact, answered, seen


def test_exact_bbps_is_propagation_by_hand() -> None:
    """The node's contribution before and after, written with its shortcuts, minimised over the box."""
    for seed in SEEDS:
        view, forms, *_ = seen(seed)
        for node in view.nodes:
            for gain, cut in zip(all_exact(forms, view, node), view.cuts(node), strict=True):
                for j in range(gain.shape[-1]):
                    assert float(gain[0, 0, j]) == pytest.approx(by_hand(view, forms, node, j, cut), abs=1e-6)


def by_hand(view: DomainView, forms: HiddenForms, node: int, j: int, cut: tuple[Tensor, Tensor]) -> float:
    """The gain of one child of one neuron, one number at a time."""
    below, above = (
        torch.cat([form[0], constant])
        for form, constant in stored(forms, node, torch.tensor([j]), view.last_pass.coefficients)
    )
    network = view.relaxation.network
    before, after, constant, same = 0.0, 0.0, 0.0, 0.0
    for reader in network.consumers[node]:
        reading = network.nodes[reader]
        assert isinstance(reading, Nonlinear)
        line = view.last_pass.lines[reader]
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
    row = view.last_pass.coefficients[0, 0]
    low, high = view.box[0][0], view.box[1][0]

    def least(f: Tensor) -> float:
        return float((f * torch.where(f > 0, low, high)).sum())

    return max(same, 0.0, least(row + change[:-1]) - least(row) + float(change[-1]) + constant)


def test_the_matrix_form_is_never_below_the_exact_one() -> None:
    apart = 0.0
    for seed in SEEDS:
        view, forms, *_ = seen(seed, rows=2)
        for node in view.nodes:
            for rough, exact in zip(
                matrix_gains(forms, view, node), all_exact(forms, view, node), strict=True
            ):
                assert bool((rough >= exact - 1e-7).all())
                apart = max(apart, float((rough - exact).max()))
    assert apart > 1e-3


def test_anchored_estimates_are_those_of_lines_where_nothing_moves() -> None:
    """On a box of one point; where two functions read the node, their lines are chosen together, not each."""
    for seed in SEEDS:
        view, forms, *_ = seen(seed)
        for node in view.nodes:
            free = free_gains(view, node)
            for certain, gain in zip(free, all_exact(forms, view, node, anchored=True), strict=True):
                assert bool((gain >= certain - 1e-7).all())
            query = replace(
                view.domains.query, lower=view.last_pass.corner[:, 0], upper=view.last_pass.corner[:, 0]
            )
            point = replace(view, domains=replace(view.domains, query=query))
            single = len(view.relaxation.network.consumers[node]) == 1
            exact = all_exact(forms, point, node, anchored=True)
            for rough, gain in zip(line_gains(point, node), exact, strict=True):
                assert bool((gain <= rough + 1e-6).all())
                assert not single or torch.allclose(rough, gain, atol=1e-6)


@pytest.mark.parametrize("anchored", (False, True))
def test_estimates_for_the_first_layer_are_true(anchored: bool) -> None:
    """Shortcuts are exact there: no input that leads into the child is below the bound that is promised."""
    checked = 0
    for seed in SEEDS:
        view, forms, engine, _ = seen(seed)
        query = view.domains.query
        generator = torch.Generator().manual_seed(seed)
        x = query.lower + torch.rand(4000, 3, generator=generator, dtype=F64)
        known = values(engine.exact, x)
        row = (known[-1] @ query.matrix[0].T).squeeze(-1)
        for gain, cut in zip(all_exact(forms, view, 1, anchored), view.cuts(1), strict=True):
            for j in range(gain.shape[-1]):
                inside = (cut[0][0, j] <= known[1][:, j]) & (known[1][:, j] <= cut[1][0, j])
                if bool(inside.any()):
                    checked += 1
                    assert (
                        float(row[inside].min()) >= float(view.last_pass.bound[0, 0] + gain[0, 0, j]) - 1e-6
                    )
    assert checked > 20


def test_the_filter_keeps_the_best() -> None:
    """With a short list of a third, the pick is one of the three best of the exact estimate of all."""
    hits = 0
    for seed in SEEDS:
        view, forms, *_ = seen(seed)
        total = sum(view.points(i).shape[1] for i in view.nodes)
        every = torch.cat(list(bbps_score(forms, anchored=False, shortlist=total)(view).values()), 1)[0]
        few = bbps_score(forms, anchored=False, shortlist=total // 3)(view)
        chosen = torch.cat(list(few.values()), 1)[0]
        assert bool((torch.isclose(chosen, every) | (chosen == 0)).all())
        hits += bool(chosen.argmax() == every.argmax())
    assert hits >= len(SEEDS) - 1


def test_candidates_are_read_as_whole_nodes_are() -> None:
    """Readings, points and coefficients of some neurons are those of the node at their places."""
    for seed in SEEDS:
        view, *_ = seen(seed, rows=2, boxes=3)
        which, neurons = torch.tensor([0, 2, 2, 1]), torch.tensor([4, 0, 3, 3])
        for node in view.nodes:
            these = view.candidates(node, which, neurons)
            assert torch.equal(these.points, view.points(node)[which, neurons])
            assert torch.equal(these.points, view.points_of(node, which, neurons))
            assert torch.allclose(these.coefficient, view.coefficient(node)[which, :, neurons])
            for side, cut in zip(these.readings, view.cuts(node), strict=True):
                for one, whole in zip(side, view.readings(node, cut), strict=True):
                    for name in ("same", "slope", "offset", "value", "attained"):
                        expected = getattr(whole, name).expand(3, 2, -1)[which, :, neurons]
                        assert torch.allclose(getattr(one, name), expected, atol=1e-9), name


def test_the_rough_filter_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a third of the neurons it leaves the pick of the line score and of all in nearly every case."""
    hits = 0
    for seed in SEEDS:
        view, forms, *_ = seen(seed)
        total = sum(view.points(i).shape[1] for i in view.nodes)
        picks = []
        for least in (total, -(-total // 3)):
            monkeypatch.setattr("genbab.branch.choose.scores.bbps.ROUGH", (0.0, least, least))
            scores = torch.cat(list(bbps_score(forms, shortlist=2)(view).values()), 1)[0]
            assert int((scores > 0).sum()) <= 2
            picks.append(int(scores.argmax()))
        hits += picks[0] == picks[1]
    assert hits >= len(SEEDS) - 1


def test_a_gap_is_zero_where_line_and_function_meet() -> None:
    """On intervals of one point nothing is left; elsewhere the rough score is a number >= 0."""
    for seed in SEEDS:
        view, *_ = seen(seed)
        for node in view.nodes:
            rough = view.rough(node)
            assert bool((rough >= 0).all() and rough.isfinite().all())
        point = [(low, low) for low, _ in view.relaxation.intervals]
        narrow = Relaxation(view.relaxation.network, point, F64)
        rows = Rows(narrow.network.output, view.domains.query.matrix)
        known = answered(narrow, rows, view.box, WarmStart())
        here = view_of(narrow, known, view.domains, view.margins, torch.tensor([0]), kink_or_middle)
        assert all(float(here.rough(node).max()) < 1e-6 for node in here.nodes)


def test_shortcuts_hold_and_may_be_missing() -> None:
    for seed in SEEDS:
        view, forms, engine, _ = seen(seed)
        query = view.domains.query
        generator = torch.Generator().manual_seed(seed)
        x = query.lower + torch.rand(500, 3, generator=generator, dtype=F64)
        known = values(engine.exact, x)
        for node in (0, *view.nodes):
            every = torch.arange(known[node].shape[1])
            (form, constant), (other, its) = stored(forms, node, every, x)
            assert not bool(((x @ form.T + constant) > known[node] + 1e-9).any())
            assert not bool(((x @ other.T + its) < known[node] - 1e-9).any())
            matter = rows_that_matter(view.relaxation, node) if node else every
            assert bool(torch.isfinite(constant[matter] + its[matter]).all())
        rows = sum(len(kept.rows) for kept in forms.nodes.values())
        small = HiddenForms(engine, 8 * (engine.exact.input_size + 4) * (rows // 2), forms.box)
        small.complete(engine.relaxed(view.relaxation.intervals))
        missing = [stored(small, node, torch.arange(5), x)[0][1].isnan() for node in view.nodes]
        assert bool(torch.stack(missing).any()) and not bool(torch.stack(missing).all())
        for kept in (small, HiddenForms(engine, 0, forms.box)):
            for score in (bbps_score(kept), bbps_score(kept, anchored=False)):
                assert all(bool(v.isfinite().all()) for v in score(view).values())
