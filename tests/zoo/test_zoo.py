"""Every family of the zoo is read, bounded soundly, verified on a small radius, refuted where it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from zoo.catalogue import families
from zoo.files import FAILS, HOLDS, ZOO, Files, at_radius

import genbab
from genbab.specs import read_vnnlib

NAMES = sorted(path.stem for path in (ZOO / "onnx").iterdir())
SMALL = 0.1  # part of the radius that the attack broke
SAMPLES = 200
LARGEST, ALL = 150_000, 3_000_000  # bytes


def executed(model: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of these inputs (n, D), one by one."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: row[None]})[0] for row in x.astype(np.float32)])


def test_every_family_has_its_files_and_no_other_is_there() -> None:
    known = {family.name for family in families().values()}
    assert known == set(NAMES) == {path.stem for path in (ZOO / "records").iterdir()}
    specs = {Files(name).spec(kind).name for name in known for kind in ("holds", "fails")}
    assert specs == {path.name for path in (ZOO / "vnnlib").iterdir()}


def test_networks_are_small() -> None:
    sizes = [path.stat().st_size for path in (ZOO / "onnx").iterdir()]
    assert max(sizes) <= LARGEST and sum(sizes) <= ALL


@pytest.mark.parametrize("name", NAMES)
def test_family(name: str) -> None:
    files = Files(name)
    kept, spec, failing = files.kept(), read_vnnlib(files.spec("holds")), read_vnnlib(files.spec("fails"))
    for one, part in ((spec, HOLDS), (failing, FAILS)):
        again = at_radius(one, kept, part * kept["radius"])
        assert np.allclose([one.lower, one.upper], [again.lower, again.upper], atol=1e-5)

    model = genbab.load(files.model)  # raises where it disagrees with onnxruntime
    draws = np.random.default_rng(0).random((SAMPLES, spec.input_size))
    x = np.clip(spec.lower + (spec.upper - spec.lower) * draws, spec.lower, spec.upper)
    y = executed(files.model, x)
    low, high = (end[0].numpy() for end in genbab.output_bounds(model, spec.lower, spec.upper, "crown"))
    slack = 1e-4 * (1 + np.abs(y))  # the bounds are about real numbers
    assert (low <= y + slack).all() and (y - slack <= high).all()
    assert not any(spec.violation(*point) is not None for point in zip(x, y.astype(float), strict=True))

    small = at_radius(spec, kept, SMALL * kept["radius"])
    config = genbab.Config(timeout=30, threads=1)
    assert genbab.verify(model, small, config).verdict == "verified"
    refuted = genbab.verify(model, failing, config)
    assert refuted.verdict == "falsified" and refuted.counterexample is not None
    point = refuted.counterexample.x
    assert failing.violation(point.astype(float), executed(files.model, point.reshape(1, -1))[0]) is not None
