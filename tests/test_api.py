"""The public functions about one model: sound under any settings of torch, and errors for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import genbab
from genbab import Config, GenbabError, SpecError, UsageError
from genbab.bounds.methods import METHODS
from genbab.network import evaluate
from genbab.specs import robustness

ZERO = torch.zeros(3)


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 8), nn.Softmax(1), nn.Linear(8, 4)).eval()


LOADED = genbab.load(module(), torch.zeros(1, 3))
SPEC = robustness([0.1, 0.2, 0.3], int(module()(torch.tensor([[0.1, 0.2, 0.3]])).argmax()), 4, 0.05)


@contextmanager
def default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "half": lambda: default(torch.float16),
    "double": lambda: default(torch.float64),
    "another device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_torchs_settings_change_no_answer(name: str) -> None:
    low, high = -torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    wanted = genbab.output_bounds(LOADED, low, high)
    verdict = genbab.verify(LOADED, SPEC, Config(timeout=20))
    with SETTINGS[name]():
        kept = torch.get_default_dtype(), torch.get_default_device()
        found = genbab.output_bounds(LOADED, low, high)
        again = genbab.verify(LOADED, SPEC, Config(timeout=20))
        assert (torch.get_default_dtype(), torch.get_default_device()) == kept
    assert all(bool(torch.equal(a, b)) for a, b in zip(wanted, found, strict=True))
    assert (again.verdict, again.bound) == (verdict.verdict, verdict.bound)


def test_bounds_take_arrays_that_may_not_be_written() -> None:
    ends = np.zeros(3), np.ones(3)
    for end in ends:
        end.setflags(write=False)  # as those of a specification that was read
    low, high = genbab.output_bounds(LOADED, *ends)
    assert (low <= high).all()


@pytest.mark.parametrize("method", METHODS)
def test_bounds_and_their_forms_hold(method: str) -> None:
    random = torch.Generator().manual_seed(1)
    centre = torch.randn(3, 3, generator=random, dtype=torch.float64)
    radius = torch.tensor([0.5, 0.05, 0.0], dtype=torch.float64)[:, None]
    low, high = centre - radius, centre + radius
    rows = torch.randn(3, 2, 4, generator=random, dtype=torch.float64)
    where = torch.rand(3, 500, 3, generator=random, dtype=torch.float64)
    where[:, 250:] = where[:, 250:].round()
    x = (low[:, None] + (high - low)[:, None] * where).clamp(low[:, None], high[:, None])
    y = evaluate(LOADED.network, x.reshape(-1, 3)).reshape(3, 500, 4) @ rows.mT
    below, above, forms = genbab.output_bounds(LOADED, low, high, method, C=rows, return_linear=True)
    under = x @ forms.lower_matrix.mT + forms.lower_constant[:, None]
    over = x @ forms.upper_matrix.mT + forms.upper_constant[:, None]
    room = 1e-12  # of evaluating in float64 here
    for one in (below[:, None], under):
        assert bool((one <= y + room).all())
    for one in (above[:, None], over):
        assert bool((one >= y - room).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lower": torch.zeros(4), "upper": torch.zeros(4)}, "expected 3 numbers per box"),
        ({"lower": torch.zeros(0, 3), "upper": torch.zeros(0, 3)}, "lower: holds no numbers"),
        ({"lower": ZERO + 1}, "lower is above upper in box 0 at input 0"),
        ({"lower": torch.zeros(2, 3)}, r"different shapes: \(2, 3\) and \(1, 3\)"),
        ({"lower": ZERO * np.nan}, "lower: every number must be finite"),
        ({"upper": ZERO + 0j}, "upper: expected real numbers, found torch.complex64"),
        ({"upper": np.zeros(3) + 0j}, "upper: expected real numbers, found complex128"),
        ({"lower": "a"}, "lower: expected numbers"),
        ({"C": torch.zeros(0, 4)}, "C: holds no numbers"),
        ({"C": torch.zeros(2, 3)}, "C: expected the shape"),
        ({"method": "crwn"}, "did you mean crown"),
        ({"config": {"root_steps": 3}}, "config: must be a genbab.Config"),
    ],
)
def test_bounds_refuse(change: dict[str, Any], message: str) -> None:
    given = {"lower": ZERO, "upper": ZERO, **change}
    with pytest.raises(UsageError, match=message):
        genbab.output_bounds(LOADED, given.pop("lower"), given.pop("upper"), **given)


@pytest.mark.parametrize("ask", [genbab.verify, genbab.find_counterexample])
def test_questions_that_do_not_fit_are_refused(ask: Callable[..., object]) -> None:
    wrong: list[tuple[Any, Any, type[GenbabError], str]] = [
        (None, None, UsageError, "a specification is a path or a genbab.Spec, not NoneType"),
        ([SPEC], None, UsageError, "not list"),
        (SPEC, {"timeout": 3}, UsageError, "config: must be"),
        (robustness(torch.zeros(4), 0, 4, 0.1), None, SpecError, "4 inputs and 4 outputs.*3 and 4"),
        (robustness(ZERO, 0, 5, 0.1), None, SpecError, "3 inputs and 5 outputs.*3 and 4"),
        (robustness(torch.zeros(4), 0, 4, 0.1, norm=2), None, SpecError, "4 inputs"),
    ]
    for spec, config, kind, message in wrong:
        with pytest.raises(kind, match=message):
            ask(LOADED, spec, config)


def test_traces_and_reports_are_of_files() -> None:
    with pytest.raises(UsageError, match="trace: must be the path"):
        genbab.verify(LOADED, SPEC, trace=3)  # type: ignore[arg-type]
    for study, against in ((None, None), (3, None), ("a.db", 3)):
        with pytest.raises(UsageError, match="a report is of a study or of the path of one, not"):
            genbab.report(study, against=against)  # type: ignore[arg-type]


def pixels(scale: Any) -> Tensor:
    """What the model of raw inputs gives at one point."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    model = genbab.load(net, torch.zeros(1, 3, 2, 2), {"mean": scale, "std": 1.0})
    return evaluate(model.network, torch.linspace(0, 1, 12, dtype=torch.float64))


def test_normalisation_takes_arrays_that_spread() -> None:
    mean = torch.tensor([0.25, 0.5, 0.75])
    shapes: list[Any] = [mean.reshape(3, 1, 1), mean.reshape(1, 3, 1, 1), mean.reshape(3, 1, 1).numpy()]
    shapes += [mean.reshape(3, 1, 1).clone().requires_grad_()]
    found = [pixels(one) for one in shapes]
    assert all(torch.equal(one, found[0]) for one in found)
    assert not torch.equal(found[0], pixels(0.5))
    for bad in (mean.reshape(1, 1, 3), np.zeros((2, 1, 3, 2, 2))):
        with pytest.raises(UsageError, match="mean has the shape"):
            pixels(bad)
