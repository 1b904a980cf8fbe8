"""The shipped examples are small, complete and well formed; `make demo` verifies them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from genbab.specs import read_vnnlib

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
with (EXAMPLES / "instances.csv").open(newline="") as file:
    INSTANCES = [(model, spec) for model, spec, _ in csv.reader(file)]
SAMPLES = 2000


def test_list_names_every_file_and_no_other() -> None:
    named = {name for instance in INSTANCES for name in instance}
    there = {
        f"{folder}/{path.name}" for folder in ("onnx", "vnnlib") for path in (EXAMPLES / folder).iterdir()
    }
    assert named == there


def test_six_networks_with_a_true_and_a_false_property_each() -> None:
    networks = {Path(model).stem for model, _ in INSTANCES}
    properties = [Path(spec).stem for _, spec in INSTANCES]
    assert len(networks) == 6
    assert sorted(properties) == sorted(
        f"{name}_{kind}" for name in networks for kind in ("holds", "violated")
    )


@pytest.mark.parametrize("model", sorted({model for model, _ in INSTANCES}))
def test_network_is_under_200_kb(model: str) -> None:
    assert (EXAMPLES / model).stat().st_size < 200_000


@pytest.mark.parametrize(("model", "spec"), INSTANCES, ids=[Path(spec).stem for _, spec in INSTANCES])
def test_property_fits_its_network_and_samples_do_not_refute_what_holds(model: str, spec: str) -> None:
    session = onnxruntime.InferenceSession(EXAMPLES / model, providers=["CPUExecutionProvider"])
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    problem = read_vnnlib(EXAMPLES / spec, given.shape[1], result.shape[1])
    lower, upper = problem.lower[0], problem.upper[0]
    assert (lower < upper).all(), "a box with room in it"
    draws = np.random.default_rng(0).random((SAMPLES, len(lower)))
    x = (lower + (upper - lower) * draws).astype(np.float32)
    (y,) = session.run(None, {given.name: x})
    hits = [
        i for i in range(SAMPLES) if problem.violation(x[i].astype(float), y[i].astype(float)) is not None
    ]
    assert not hits or spec.endswith("_violated.vnnlib")
