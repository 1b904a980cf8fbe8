"""The bounding method and the function of rows that docs/extending.md adds are sound."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from genbab import api
from genbab.bounds.methods import known
from genbab.network import Affine, Dense, Grouped, Input, Network, evaluate
from genbab.nonlinear.groups import grouped
from tests.bounds.samples import boxes, samples

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"


def added(file: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the file on the page."""
    found = re.search(rf'```py title="{file}"\n(.*?)^```$', PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    module = ModuleType(file.removesuffix(".py").replace("/", "."))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(found.group(1), file, "exec"), module.__dict__)
    return module


def network_of(fn: object, seed: int) -> Network:
    """Two affine nodes with rows of three between."""
    generator = torch.Generator().manual_seed(seed)
    first, last = (torch.randn(6, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    bias = torch.randn(6, generator=generator, dtype=torch.float64)
    middle = Grouped(fn, (1,), 6)  # type: ignore[arg-type]
    nodes = Input(6), Affine(((0, Dense(first)),), bias), middle, Affine(((2, Dense(last)),), bias)
    return Network(nodes, 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", api.METHODS)
def test_rows_on_the_page_are_bounded(method: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    share = added("genbab/nonlinear/groups/share.py", monkeypatch)
    monkeypatch.setitem(grouped.KINDS, share.Share, share.KIND)
    network, box = network_of(share.Share(3), seed), boxes(seed, 6, 1)
    low, high = (torch.as_tensor(b) for b in api.bounds(network, box[0][0], box[1][0], method=method))
    seen = evaluate(network, samples(box, 500, seed))
    assert bool((low <= seen + 1e-12).all()) and bool((seen - 1e-12 <= high).all())
    assert bool(torch.isfinite(high - low).all())


@pytest.mark.parametrize("seed", range(6))
def test_the_method_on_the_page_is_sound_and_no_looser(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = added("genbab/bounds/methods/known/halves.py", monkeypatch)
    monkeypatch.setitem(known.KNOWN, halves.METHOD.name, halves.METHOD)
    monkeypatch.setattr("genbab.bounds.methods.METHODS", (*api.METHODS, "halves"))
    share = added("genbab/nonlinear/groups/share.py", monkeypatch)
    monkeypatch.setitem(grouped.KINDS, share.Share, share.KIND)
    network, box = network_of(share.Share(3), seed), boxes(seed, 6, 1)
    found = {name: api.bounds(network, box[0][0], box[1][0], method=name) for name in ("interval", "halves")}
    (low, high), (less, more) = (map(torch.as_tensor, found[name]) for name in ("interval", "halves"))
    seen = evaluate(network, samples(box, 500, seed))
    assert bool((less <= seen + 1e-12).all()) and bool((seen - 1e-12 <= more).all())
    assert bool((less >= low - 1e-12).all()) and bool((more <= high + 1e-12).all())
