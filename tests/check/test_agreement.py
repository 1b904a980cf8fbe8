"""The checker and one in rational arithmetic say the same of proofs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from genbab.check.failures import Unusable
from tests.check import rational
from tests.check.agreement import counted, exact, first
from tests.check.files import specification, written
from tests.check.statements import Layers, layers


@pytest.mark.parametrize("part", range(4))
def test_both_checkers_agree_on_random_proofs(part: int, tmp_path: Path) -> None:
    """`python benchmarks/agreement.py` does the same at length."""
    counts, findings = counted(tmp_path, range(5000 + 20 * part, 5020 + 20 * part))
    assert not findings
    ends = {"both accept": 0, "both reject": 0}
    for (_, _, outcome), count in counts.items():
        ends[outcome] = ends.get(outcome, 0) + count
    assert ends["both accept"] > 2 and ends["both reject"] > 2
    assert ends["both accept"] + ends["both reject"] > 0.8 * counts.total()
    assert any(truth == "false" for _, truth, _ in counts)


def test_the_rational_checker_shares_nothing_with_the_package() -> None:
    text = Path(rational.__file__).read_text(encoding="utf-8")
    tree = list(ast.walk(ast.parse(text)))
    named = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in tree if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= {*sys.stdlib_module_names, "numpy", "onnx"}
    assert len(text.splitlines()) <= 300


def test_exact_values_are_those_of_floats() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        net = layers(rng)
        x = rng.normal(size=len(net.weights[0][0]))
        close = [float(v) for v in net.exactly([Fraction(v) for v in x.tolist()])]
        assert np.allclose(close, net.roughly(x[None])[0], rtol=1e-9, atol=1e-9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """|x| + |y|, which is said never to be 1.1 or more where both are at most a half."""
    net = Layers([(np.eye(2), np.zeros(2)), (-np.ones((2, 1)), np.zeros(1))], ["Abs"])
    (tmp_path / "m.onnx").write_bytes(net.file())
    (tmp_path / "s.vnnlib").write_text(specification([-0.5] * 2, [0.5] * 2, 1, "(assert (<= Y_0 -1.1))"))
    return tmp_path


def test_what_both_must_reject(folder: Path) -> None:
    low, high = [-0.5] * 2, [0.5] * 2
    wrong: dict[str, Callable[[], Path]] = {
        "smaller": lambda: written(folder, [-0.5, -0.4], high),
        "twice": lambda: written(folder, low, high, [(0, -1, 0, 0.1), (0, -1, 1, 0.1)]),
        "later": lambda: written(folder, low, high, [(1, -1, 0, 0.1)]),
        "other": lambda: written(folder, low, high, [], {"model": {"sha256": "0" * 64}}),
    }
    written(folder, low, high, [(0, 0, 1, 0.1), (1, -1, 0, 0.0)], {"tensors": ["z0"]})
    assert first(folder, 0) and exact(folder, 0)
    for name, make in wrong.items():
        make()
        assert not exact(folder, 3), name
        with suppress(Unusable):
            assert not first(folder, 3), name
    (folder / "s.vnnlib").write_text(specification(low, high, 1, "(assert (<= Y_0 -1.0))"))
    written(folder, low, high)
    assert not first(folder, 3) and not exact(folder, 3)
