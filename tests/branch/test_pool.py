"""The pool: worst first, nothing lost, packed without loss, within its memory whatever is pushed."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genbab.bounds import Start, WarmStart
from genbab.branch import (
    Domains,
    DomainSearch,
    Pool,
    SearchOutcome,
    SearchProgress,
    SearchSetup,
    Splits,
    join,
)
from genbab.branch.open import spill as spill_module
from genbab.branch.open.domains import Path
from genbab.branch.open.packing import Packing
from genbab.branch.open.spill import Spill, SpillFull
from genbab.problem import Query

INF = float("inf")
LARGE = 1 << 40


def roots(count: int, seed: int, width: int = 5) -> Domains:
    """Random domains with every part that a domain can have, each its own origin."""
    generator = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, dtype=torch.float64)

    query = Query(
        some(2), some(2) + 5, some(1, 3), some(1, 2), some(1), torch.arange(count)[:, None].remainder(3)
    )
    splits = Splits(torch.zeros(count).long(), torch.zeros(count).long(), some(), some().abs())
    lines = Start((some(1, width).float(), some(1, width).float()), some(1, width) > 0)
    warm = WarmStart({2: lines}, some(1, 2).float())
    path = Path.none(count, torch.device("cpu"))
    hidden = {1: (some(width), some(width) + 5)}
    released = {1: some(width) > 0}
    depth = torch.arange(count)
    return Domains(query, -some().abs(), depth, splits, hidden, warm, path, released, origin=depth.clone())


def children(root: Domains, seed: int, count: int, changed: int = 2) -> Domains:
    """Domains below random ones of the root, some of them different in a few columns."""
    generator = torch.Generator().manual_seed(seed)
    found = root.take(torch.randint(len(root), (count,), generator=generator))
    low, high = (t.clone() for t in found.hidden[1])
    for column in torch.randperm(low.shape[1], generator=generator)[:changed].tolist():
        by = torch.rand(count, generator=generator, dtype=torch.float64)
        low[:, column] += torch.where(by > 0.5, by, 0.0)
    bound = -torch.rand(count, generator=generator, dtype=torch.float64)
    return replace(found, hidden={1: (low, high)}, bound=bound, depth=found.depth + 1)


def same(one: Domains, other: Domains) -> None:
    """Every tensor agrees exactly, slopes to half precision."""
    slopes = {id(k) for w in one.warm.starts.values() for k in w.slopes} | {id(one.warm.multipliers)}
    for a, b in zip(one.tensors(), other.tensors(), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6) if id(a) in slopes else torch.equal(a, b)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 10**6))
def test_packing_loses_nothing(count: int, sizes: list[int], seed: int) -> None:
    root = roots(count, seed)
    packing = Packing(root)
    batches = [children(root, seed + k, size, changed=k) for k, size in enumerate(sizes)]
    packed = packing.join([packing.pack(b) for b in batches])
    whole = join(batches)
    same(packing.unpack(packed), whole)
    assert torch.equal(packing.bounds(packed), whole.bound)
    some = torch.arange(0, len(whole), 2)
    same(packing.unpack(packed.take(some)), whole.take(some))
    assert packed.nbytes < whole.nbytes


def test_slopes_that_half_precision_cannot_hold_stay_finite() -> None:
    root = roots(1, 0)
    huge = replace(root, warm=root.warm.with_slopes(lambda k: k * 1e30))
    packing = Packing(root)
    warm = packing.unpack(packing.pack(huge)).warm
    assert warm.multipliers is not None
    assert all(bool(k.isfinite().all()) for k in (*warm.starts[2].slopes, warm.multipliers))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.integers(1, 7),
    st.sampled_from((LARGE, 6000, 2000)),
    st.integers(0, 10**6),
)
def test_the_worst_come_first_and_none_is_lost(sizes: list[int], size: int, memory: int, seed: int) -> None:
    """With much memory and with so little that most is put away."""
    root = roots(3, seed)
    pool = Pool(replace(root, bound=torch.ones(3, dtype=torch.float64)), memory)
    assert len(pool) == 0 and pool.worst == INF
    waiting: list[float] = []
    for number, count in enumerate(sizes):
        more = children(root, seed + number, count)
        pool.push(more)
        waiting = sorted(waiting + more.bound.tolist())
        assert len(pool) == len(waiting) and pool.worst == waiting[0]
        if number % 3 == 2:
            got = pool.pop(size)
            assert sorted(got.bound.tolist()) == waiting[: len(got)] and len(got) == min(size, len(waiting))
            waiting = waiting[len(got) :]
    clauses = set(pool.clauses.tolist())
    seen: set[int] = set()
    while len(pool):
        got = pool.pop(size)
        assert sorted(got.bound.tolist()) == waiting[: len(got)] and 1 <= len(got) <= size
        waiting = waiting[len(got) :]
        seen |= set(got.query.clause.flatten().tolist())
    assert not waiting and pool.worst == INF and pool.nbytes == 0 and seen == clauses


def test_what_was_put_away_comes_back_the_same() -> None:
    root = roots(2, 1)
    pool = Pool(replace(root, bound=torch.ones(2, dtype=torch.float64)), 4000)
    pushed = join([children(root, k, 8) for k in range(12)])
    for part in torch.split(torch.arange(len(pushed)), 8):
        pool.push(pushed.take(part))
    assert pool.away > 0
    got = join([pool.pop(5) for _ in range(20)])
    assert len(got) == len(pushed) == 96 and not len(pool)
    same(got.take(got.bound.argsort()), pushed.take(pushed.bound.argsort()))


def test_a_domain_larger_than_the_memory_is_kept_and_comes_back() -> None:
    root = roots(1, 3)
    pool = Pool(replace(root, bound=torch.ones(1, dtype=torch.float64)), 1)
    only = children(root, 0, 1)
    pool.push(only)
    assert len(pool) == 1 and pool.away == 0
    same(pool.pop(1), only)
    assert len(pool) == 0


def test_bounds_that_are_no_numbers_come_first() -> None:
    root = roots(3, 2)
    bound = torch.tensor([-1.0, float("nan"), -2.0], dtype=torch.float64)
    pool = Pool(replace(root, bound=bound), LARGE)
    assert pool.worst == -INF and bool(pool.pop(1).bound.isnan().all())


def heavy(memory: int, floats: int, least: float) -> tuple[SearchOutcome, list[SearchProgress], list[int]]:
    """A search over [0, 1] down to boxes of a width, each with intervals of its own; what it used."""
    box = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    query = Query(box[:1], box[1:], one[None], None, 0 * one, torch.zeros(1, 1, dtype=torch.long))
    base = resident()
    seen: list[SearchProgress] = []
    used: list[int] = []

    def bound(domains: Domains) -> Domains:
        low, high = domains.query.lower, domains.query.upper
        part = low + (high - low) * torch.linspace(0, 1, floats, dtype=torch.float64)
        zero = torch.zeros(len(domains), dtype=torch.long)
        splits = Splits(zero, zero, ((low + high) / 2)[:, 0])
        margin = torch.where((high - low)[:, 0] <= least, 1.0, -(high - low)[:, 0])
        return replace(domains, bound=margin, splits=splits, hidden={1: (part, part + 1)})

    def report(progress: SearchProgress) -> None:
        seen.append(replace(progress))
        used.append(resident() - base)

    start = Domains(query, torch.full((1,), -2.0, dtype=torch.float64), torch.zeros(1, dtype=torch.long))
    search = DomainSearch(bound, SearchSetup(lambda _: False, report, memory, 32))
    return search.run(bound(start)), seen, used


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def test_a_search_that_needs_ten_times_the_memory_ends_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "RESERVE", 0)
    memory, floats = 24 << 20, 4000
    outcome, seen, used = heavy(memory, floats, 2.0**-13)
    small, _, _ = heavy(LARGE, 1, 2.0**-13)
    assert outcome.status == small.status == "verified"
    assert outcome.progress.visited == small.progress.visited == 2**14 - 2
    most = max(p.open for p in seen) * floats * 16
    assert most > 10 * memory, "the search does not need that much"
    assert max(p.stored for p in seen) <= memory and seen[-1].away > 8 * memory
    assert max(used) < 4 * memory


def test_a_full_disk_ends_the_search_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Spill, packed: object) -> None:
        raise SpillFull(f"cannot write to /tmp: {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(Spill, "put", full)
    outcome, seen, _ = heavy(1 << 20, 500, 2.0**-13)
    assert outcome.status == "memory" and os.strerror(errno.ENOSPC) in outcome.why
    assert outcome.progress.bound <= 0 and outcome.progress.open > 0 and seen


def test_errors_of_the_disk_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    packing = Packing(roots(1, 0))
    packed = packing.pack(roots(1, 0))
    monkeypatch.setattr(spill_module, "folder", lambda: "/no/such/folder")
    with pytest.raises(SpillFull, match="/no/such/folder"):
        Spill(torch.device("cpu"), 0).put(packed)
    monkeypatch.undo()
    monkeypatch.setattr(spill_module, "RESERVE", 1 << 62)
    with pytest.raises(SpillFull, match="nearly full"):
        Spill(torch.device("cpu"), 0).put(packed)


def test_places_on_the_shelf_are_used_again() -> None:
    root = roots(1, 0)
    packing, spill = Packing(root), Spill(torch.device("cpu"), 0)
    for _ in range(50):
        blocks = [spill.put(packing.pack(children(root, k, 6))) for k in range(3)]
        for block in blocks:
            spill.get(block)
    assert spill._end <= 3 * max(b.size for b in blocks)


def test_host_memory_is_used_before_the_disk() -> None:
    """What a search on a GPU does, with this processor in the place of both."""
    root = roots(1, 0)
    packing, spill = Packing(root), Spill(torch.device("cpu"), 0)
    pushed = [children(root, k, 6) for k in range(2)]
    packed = [packing.pack(p) for p in pushed]
    spill.room = room = packed[0].nbytes
    blocks = [spill.put(p) for p in packed]
    assert blocks[0].kept is not None and blocks[1].kept is None and spill.room == 0
    for block, domains in zip(blocks, pushed, strict=True):
        same(packing.unpack(spill.get(block)), domains)
    assert spill.room == room
