"""All specifications of the benchmark folder beside the repository are read, where there is such a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genbab.specs import format_vnnlib, parse_vnnlib, read_vnnlib

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "benchmarks"
FILES = sorted([*FOLDER.rglob("*.vnnlib"), *FOLDER.rglob("*.vnnlib.gz")])


@pytest.mark.skipif(not FILES, reason="no benchmark folder beside the repository")
def test_all_files_are_read() -> None:
    for path in FILES:
        spec = read_vnnlib(path)
        assert spec.clauses and not spec.notes, path
        assert all(len(clause.rhs) for clause in spec.clauses), path
        boxes = {a.tobytes() + b.tobytes() for a, b in zip(spec.lower, spec.upper, strict=True)}
        assert len(boxes) == len(spec.lower), path


@pytest.mark.skipif(not FILES, reason="no benchmark folder beside the repository")
def test_writing_gives_the_same_spec_again() -> None:
    for path in FILES[::5]:
        spec = read_vnnlib(path)
        again = parse_vnnlib(format_vnnlib(spec), str(path))
        assert np.array_equal(spec.lower, again.lower) and np.array_equal(spec.upper, again.upper)
        for a, b in zip(spec.clauses, again.clauses, strict=True):
            assert a.box == b.box and np.array_equal(a.outputs, b.outputs) and np.array_equal(a.rhs, b.rhs)


@pytest.mark.skipif(not (FOLDER / "acasxu").is_dir(), reason="no benchmark folder beside the repository")
def test_numbers_of_one_file() -> None:
    spec = read_vnnlib(FOLDER / "acasxu" / "vnnlib" / "prop_5.vnnlib", 5, 5)
    assert spec.upper[0, 0] == pytest.approx(-0.321785085, abs=1e-16)
    expected = np.eye(5)[:4] - np.eye(5)[4]
    assert np.array_equal(np.concatenate([c.outputs for c in spec.clauses]), expected)
    assert not np.concatenate([c.rhs for c in spec.clauses]).any()
