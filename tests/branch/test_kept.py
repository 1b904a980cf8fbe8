"""Searches as data: written anywhere, even where a step was cut short, and taken up again without a loss."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.bounds import Engine
from genbab.branch import DomainSearch, RegionSearch, SearchSetup, Status, join
from genbab.branch.kept.data import DomainData, RegionData, search_coder
from genbab.branch.open.pool import Pool
from genbab.branch.regions import search as search_module
from genbab.errors import UsageError
from genbab.system.archive import pack, read_archive, unpack, write_archive
from genbab.system.coding import Coder, CodingError, numbers, tensor_of
from tests.branch.rooted import layered
from tests.branch.test_children import CLAUSES
from tests.branch.test_domains import line
from tests.branch.test_pool import children, roots, same
from tests.branch.test_retighten import SETUP, branching, region_of
from tests.branch.test_search import Interruptions, Recorded, covered, lying

CPU = torch.device("cpu")


def there_and_back(value: Any, engine: Engine) -> Any:
    """The value after it was a file."""
    tensors: list[torch.Tensor] = []
    tree = search_coder(engine).write(value, tensors)
    file = io.BytesIO()
    pack(file, tree, [numbers(t) for t in tensors])
    found, arrays = unpack(file)
    assert json.loads(json.dumps(tree, allow_nan=False)) == found
    return search_coder(engine).read(found, [tensor_of(a, CPU) for a in arrays])


@pytest.fixture(scope="module")
def engine() -> Engine:
    network, _ = layered(0)
    return Engine(network, network, 1 << 28)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 10**6))
def test_what_is_shared_and_what_stays_is_what_was_open(count: int, sizes: list[int], seed: int) -> None:
    root = roots(count, seed)
    pool = Pool(root, 1 << 30)
    before = [root, *(children(root, seed + n, size) for n, size in enumerate(sizes))]
    for part in before[1:]:
        pool.push(part)
    given_away = pool.share(4)
    packed = list(pool.packed())
    here = Pool.holding(pool.packing.began, packed, 1 << 30)
    if given_away is not None:
        assert len(given_away) <= 4 and len(given_away) <= len(here), "at most half goes"
        here.put(given_away)
    assert len(here) == len(join(before))
    whole = here.pop(len(here))
    order = [join(before).bound.argsort(stable=True), whole.bound.argsort(stable=True)]
    same(join(before).take(order[0]), replace(whole, corner=None).take(order[1]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(0.0, 1.0), max_size=2))
def test_a_search_over_domains_goes_on_from_its_data(seed: int, holes: list[float]) -> None:
    """It is written after every step, also one that was cut short, and read again; no box is ever lost."""
    network, _ = layered(0)
    engine = Engine(network, network, 1 << 28)
    interrupt = Interruptions(seed, 0.3)
    bound = Recorded(holes, 2.0**-6, interrupt)
    search = DomainSearch(bound, SearchSetup(interrupt, interrupt.told, 1 << 40, 4))
    state = search.begin(line())
    while search.ended(state) is None:
        search.proceed(state, lambda: True)
        visited = state.progress.visited
        state = there_and_back(DomainData.of(state), engine).state(1 << 40)
        assert state.progress.visited == visited
        assert bool(covered(state, bound.closed).all()), "an open box is lost"
    outcome = search.ended(state)
    assert outcome is not None and outcome.status is (Status.STUCK if holes else Status.VERIFIED)


@pytest.mark.parametrize("seed", range(3))
def test_a_search_over_regions_goes_on_from_its_data(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    monkeypatch.setattr(search_module, "SHORTEST", 0.01)
    region, engine, x, known = region_of(seed + 120, CLAUSES, True)
    interrupt = Interruptions(seed, 0.1)
    setup = replace(SETUP, falsify=interrupt, report=interrupt.told)
    search = RegionSearch(branching(engine), setup, 1 << 24, lambda: 1e6, 0.01, interrupt.told, (3, 6))
    state = search.begin(region)
    for _ in range(8):
        if search.ended(state) is not None:
            break
        search.proceed(state, lambda: True)
        before = [lying(state, clause, x, known) for clause in sorted(set(CLAUSES))]
        worst = [r.worst for r in state.regions], state.whole.worst
        state = there_and_back(RegionData.of(state), engine).state(search)
        assert ([r.worst for r in state.regions], state.whole.worst) == worst
        after = [lying(state, clause, x, known) for clause in sorted(set(CLAUSES))]
        assert all(map(torch.equal, before, after)), "a region is another one"


def test_only_values_of_known_classes_come_back(engine: Engine) -> None:
    coder = search_coder(engine)
    for tree in ({"value": "Path2", "fields": {}}, {"tensor": 5}, {"one": "Status", "of": "won"}, {"x": 1}):
        with pytest.raises(CodingError):
            coder.read(tree, [])
    with pytest.raises(TypeError):
        Coder(()).write(object(), [])
    values = [None, True, 3, "a", float("-inf"), 0.1, (1, [2.0]), {3: {"a": (1,)}}]
    assert coder.read(json.loads(json.dumps(coder.write(values, []))), []) == values
    assert coder.read(coder.write(float("nan"), []), []) != coder.read(coder.write(0.0, []), [])


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.genbab"
    arrays = [torch.arange(100.0).numpy(), torch.zeros(0, 3).numpy(), torch.tensor(2).numpy()]
    write_archive(path, {"a": [1]}, arrays)
    header, found = read_archive(path, "checkpoint")
    assert header == {"a": [1]} and [a.shape for a in found] == [(100,), (0, 3), ()]
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole[:200] + b"x" + whole[201:], b"", whole[200:], b"PK\x03\x04"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match="checkpoint"):
            read_archive(path, "checkpoint")
    with pytest.raises(UsageError, match="checkpoint"):
        read_archive(tmp_path / "none", "checkpoint")
    with pytest.raises(UsageError, match="cannot write"):
        write_archive(tmp_path / "no" / "where", {}, [])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["search.genbab"], "nothing half written is left"
