"""Whole questions about fixed points: no false verdict without the attack, whatever is split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genbab.api import verify
from genbab.config import Branching, Config
from genbab.network import evaluate
from genbab.reader.models.model import load_onnx
from genbab.result import Verdict
from tests.implicit.loops import Changing
from tests.implicit.networks import MODULES, loaded, seeded

WIDTH = 0.3


def unsafe_above(limit: float, place: Path) -> Path:
    """A specification: on the box around 0, the first output reaches the limit."""
    names = [f"(declare-const X_{i} Real)" for i in range(3)] + [
        f"(declare-const Y_{j} Real)" for j in range(2)
    ]
    ends = [f"(assert (>= X_{i} {-WIDTH})) (assert (<= X_{i} {WIDTH}))" for i in range(3)]
    place.write_text("\n".join([*names, *ends, f"(assert (>= Y_0 {limit:.17f}))"]))
    return place


@pytest.mark.parametrize(("name", "branching"), [("relu", "neuron"), ("mean field", "input")])
def test_verdicts_are_right_on_both_sides_of_the_greatest_value(
    name: str, branching: Branching, tmp_path: Path
) -> None:
    model, plain = loaded(seeded(MODULES[name]))
    corners = torch.cartesian_prod(*[torch.linspace(-WIDTH, WIDTH, 9, dtype=torch.float64)] * 3)
    found = evaluate(plain, corners)[:, 0]
    most, wide = float(found.max()), float(found.max() - found.min())
    config = Config(timeout=1.5, attack_restarts=0, branching=branching)
    refuted = verify(model, unsafe_above(most - 1e-6 * wide, tmp_path / "false.vnnlib"), config)
    assert refuted.verdict is not Verdict.VERIFIED
    held = verify(
        model, unsafe_above(most + 0.5 * wide, tmp_path / "true.vnnlib"), replace(config, timeout=60.0)
    )
    assert held.verdict is Verdict.VERIFIED


def test_a_loop_that_stops_by_itself_is_verified_and_refuted(tmp_path: Path) -> None:
    loop = Changing(tolerance=1e-4)
    model = load_onnx(loop.proto())
    points = torch.cartesian_prod(*[torch.linspace(-WIDTH, WIDTH, 5, dtype=torch.float64)] * 3)
    found = loop.value(points.numpy())[:, 0]
    most, wide = float(found.max()), float(found.max() - found.min())
    refuted = verify(model, unsafe_above(most - 0.1 * wide, tmp_path / "false.vnnlib"), Config(timeout=10.0))
    assert refuted.verdict is Verdict.FALSIFIED
    held = verify(model, unsafe_above(most + 0.5 * wide, tmp_path / "true.vnnlib"), Config(timeout=10.0))
    assert held.verdict is Verdict.VERIFIED
