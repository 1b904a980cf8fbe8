"""A few cases of every kind of the standing adversary, and faults planted to see that it finds them.

`python benchmarks/adversary.py` does the same with many thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from genbab.network import Affine, Network
from genbab.reader import Model, load_onnx
from genbab.result import Result, Verdict

from .adversary import KINDS, Case, Outcome, cases, examined, kept, replayed
from .adversary.linear import Atom, Both, cases_of, rows_of, satisfiable

SEEDS: dict[str, tuple[int, ...]] = {
    "affine": tuple(range(1000, 1024)),
    "folded": tuple(range(1000, 1018)),
    "range_ends": tuple(range(1000, 1015)),
    "smooth": (2023, 2035, 2060, 2000, 2001, 2002),  # three with GELU written out by tanh
    "undefined": tuple(range(1000, 1020)),
    "integers": tuple(range(1000, 1030)),
    "needles": tuple(range(1000, 1010)),
    "odd_specs": (17, 82, 107, 140, *range(1000, 1024)),  # four with strict bounds of inputs
    "conjunctions": tuple(range(1000, 1010)),
    "quadratics": (43, *range(1000, 1008)),
}
"""Cases of each kind."""

SECONDS = 0.06
"""The longest that one run may search."""


def quick(kind: str, seed: int) -> Case:
    case = KINDS[kind](seed)
    return replace(case, seconds=min(case.seconds, SECONDS))


def outcomes(kind: str) -> Iterator[Outcome]:
    return (examined(quick(kind, seed)) for seed in SEEDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_wrong_is_found(kind: str) -> None:
    wrong = [f"{o.seed} ({o.status}): {o.wrong}" for o in outcomes(kind) if o.wrong]
    assert not wrong, "\n".join(wrong)


def ran(model: bytes, x: Any) -> Any:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}.get(given.type)
    if kind is None:
        kind = np.dtype(given.type[7:-1])
    return session.run(None, {given.name: np.array([x]).astype(kind)})[0].reshape(-1)


@pytest.mark.parametrize("kind", ("affine", "smooth", "integers", "needles", "odd_specs"))
def test_what_is_taken_for_true_is_what_onnxruntime_gives(kind: str) -> None:
    """At points where float32 does not decide a comparison the other way, which most are."""
    same, compared = 0, 0
    for seed in range(20):
        case = KINDS[kind](seed)
        for known in case.known:
            try:
                y = ran(case.model, known.x)
            except Exception as error:
                assert "NOT_IMPLEMENTED" in str(error), error
                continue
            exact = np.array([float(low) for low, _ in known.y])
            close = np.abs(y - exact) <= 1e-4 * np.abs(exact) + 1e-3 * max(1e-3, np.abs(exact).max())
            same, compared = same + int(close.all()), compared + 1
    assert kind == "odd_specs" or same >= {"affine": 0.6}.get(kind, 0.9) * compared > 0, (same, compared)


def test_odd_specifications_are_decided_as_their_points_say() -> None:
    """A formula that a random point meets is satisfiable; one with a contradiction added is not."""
    random = np.random.default_rng(0)
    names = ("X_0", "X_1")
    forms = {n: (tuple(Fraction(i == k) for i in range(2)), Fraction(0)) for k, n in enumerate(names)}
    for _ in range(120):
        parts = [
            Atom(
                tuple((n, str(random.integers(-3, 4))) for n in names),
                str(random.choice(["<=", ">=", "<", ">"])),
                str(random.integers(-3, 4)),
            )
            for _ in range(4)
        ]
        whole = Both(False, (Both(True, tuple(parts[:2])), *parts[2:]))
        rows = [[r for a in case for r in rows_of(a, forms)] for case in cases_of(whole)]
        points = [
            dict(zip(names, map(Fraction, p), strict=True))
            for p in random.integers(-12, 13, (50, 2)).tolist()
        ]
        if any(whole.holds(p) for p in points):
            assert any(map(satisfiable, rows))
        against = Atom((("X_0", "1"), ("X_1", "1")), "<", "0"), Atom((("X_0", "2"), ("X_1", "2")), ">", "0")
        for case in rows:
            assert not satisfiable([*case, *(r for a in against for r in rows_of(a, forms))])


def shifted(model: Model, by: float) -> Model:
    """The model with the constant that its output ends in, or begins with, changed a little."""
    nodes = list(model.network.nodes)
    place = max(i for i, node in enumerate(nodes) if isinstance(node, Affine))
    node = nodes[place]
    assert isinstance(node, Affine)
    nodes[place] = Affine(node.terms, node.bias * (1 + by) + by)
    return replace(model, network=Network(tuple(nodes), model.network.output, model.network.names))


@pytest.mark.parametrize("kind", ("affine", "smooth", "needles"))
def test_a_constant_that_is_off_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrongly(*args: Any, **options: Any) -> Model:
        return shifted(load_onnx(*args, **options), 1e-9)

    monkeypatch.setattr(cases, "load_onnx", wrongly)
    assert sum(bool(examined(quick(kind, seed)).wrong) for seed in range(4)) >= 2


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"odd_specs"}))
def test_a_false_proof_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "verified", lambda *_: Result(Verdict.VERIFIED, 0.0, 1.0))
    found = [examined(quick(kind, 2 * seed)) for seed in range(3)]
    assert all(o.wrong or o.status == "refused" for o in found)


def test_errors_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Result:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(cases, "verified", fails)
    outcome = examined(quick("smooth", 0))
    assert outcome.status == "error" and "ZeroDivisionError" in outcome.wrong


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_that_was_kept_is_the_same_case(kind: str, tmp_path: Path) -> None:
    case = KINDS[kind](3)
    again = replayed(kept(case, Outcome(kind, 3, "verified", "wrong"), tmp_path))
    assert (again.model, again.kind, again.seed, again.wrong) == (case.model, kind, 3, case.wrong)
    assert again.known == case.known and again.margin == case.margin
    assert str(again.spec) == case.spec if kind == "odd_specs" else (again.box[0] == case.box[0]).all()


def test_needles_are_violations_that_few_points_show() -> None:
    for seed in range(10):
        case = KINDS["needles"](seed)
        (known,) = case.known
        low, high = case.box
        assert known.y[0][1] < 0 and bool(((low <= known.x) & (known.x <= high)).all())
        points = torch.rand(200, low.size, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        assert all(ran(case.model, p.numpy())[0] > 0 for p in points[:20])
