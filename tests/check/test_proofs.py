"""Proofs: what holds is accepted with its splits and hints; nothing makes something false accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from genbab.check.__main__ import main
from genbab.check.passes.backward import least_on
from genbab.check.question import Limits, load
from genbab.check.tree import Check, Task
from tests.check.files import network, specification, written

LOW, HIGH = [-1.0, -1.0], [1.0, 1.0]
SIZES = (2, 12, 12, 1)
Splits = list[tuple[int, int, int, float]]


def least(data: bytes) -> float:
    """The least output on a fine grid."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 61, dtype=np.float32)]), -1).reshape(-1, 1, 2)
    return float(min(np.asarray(session.run(None, {"x": x})[0]).min() for x in grid))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, and a text that says its output is never close to its least value: true by a little."""
    place = tmp_path_factory.mktemp("case")
    data = network(SIZES, "Relu", seed=8)
    (place / "m.onnx").write_bytes(data)
    limit = least(data) - 0.01
    (place / "s.vnnlib").write_text(specification(LOW, HIGH, 1, f"(assert (<= Y_0 {limit!r}))"))
    return place


@pytest.fixture(scope="module")
def false_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with a text that a point of the grid violates."""
    place = tmp_path_factory.mktemp("false")
    data = network(SIZES, "Relu", seed=8)
    (place / "m.onnx").write_bytes(data)
    (place / "s.vnnlib").write_text(specification(LOW, HIGH, 1, f"(assert (<= Y_0 {least(data) + 0.001!r}))"))
    return place


def said(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main([str(folder / name) for name in ("m.onnx", "s.vnnlib", "proof")] + list(options))
    out, err = capsys.readouterr()
    assert len((out + err).splitlines()) == 1
    return code, out + err


def grown(folder: Path, most: int = 12) -> Splits:
    """Splits in the middle of the wider side until the check needs none of its own."""
    splits: Splits = []

    class Growing(Check):
        def _halve(self, found: Any) -> None:
            for task, _, _ in found:
                entry = int(np.argmax(task.high - task.low))
                splits.append((task.node, -1, entry, float(task.low[entry] + task.high[entry]) / 2))
                child = 1 + 2 * (len(splits) - 1)
                for side in (0, 1):
                    cut = self._cut(task, 0, entry, splits[-1][3], upper=bool(side))
                    self.waiting.append(Task(child + side, cut.low, cut.high, {}, cut.open))

    written(folder, LOW, HIGH)
    Growing(load(folder / "m.onnx", folder / "s.vnnlib", folder / "proof", Limits(most))).run()
    return splits


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    found = grown(folder)
    assert len(found) > 5
    return found


def test_a_proof_is_accepted_and_every_split_of_it_counts(
    folder: Path, splits: Splits, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, LOW, HIGH, splits)
    code, text = said(folder, capsys, "--extra-splits", "0")
    assert code == 0 and text.startswith(f"accepted: 1 boxes, {2 * len(splits) + 1} nodes")
    written(folder, LOW, HIGH, splits[:-1])
    code, text = said(folder, capsys, "--extra-splits", "0")
    assert code == 1 and text.startswith("rejected: node ") and "short" in text
    written(folder, LOW, HIGH)
    assert said(folder, capsys, "--extra-splits", "12")[0] == 0


def test_splits_of_hidden_tensors_partition_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree: Splits = [(0, 0, 3, 0.0), (1, 0, 5, 0.0), (2, 0, 5, 0.1)]
    written(folder, LOW, HIGH, tree, {"tensors": ["z0"]})
    code, text = said(folder, capsys, "--extra-splits", "12")
    assert code == 0, text
    written(folder, LOW, HIGH, [(0, 0, 99, 0.0)], {"tensors": ["z0"]})
    assert said(folder, capsys)[0] == 1
    written(folder, LOW, HIGH, [(0, 1, 0, 0.0)], {"tensors": ["z0"]})
    assert said(folder, capsys)[0] == 1


def test_children_keep_what_was_cut(folder: Path) -> None:
    """A cut of a tensor that no function takes, kept after bounds of the node."""
    proof = written(folder, LOW, HIGH, [(0, 0, 0, 0.0)], {"tensors": ["y"]})
    check = Check(load(folder / "m.onnx", folder / "s.vnnlib", proof, Limits(0)))
    check._divide(check._roots()[0])
    step = check.case.step("y")
    for task, side in zip(check.waiting, (0, 1), strict=True):
        for left, _, _ in check._bounded([task], tighten=False):
            assert left.known[step][side][0] >= 0 if side == 0 else left.known[step][side][0] <= 0


def test_other_files_and_smaller_boxes_are_rejected(
    folder: Path, splits: Splits, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model", "specification"):
        written(folder, LOW, HIGH, splits, {name: {"sha256": "0" * 64}})
        code, text = said(folder, capsys)
        assert code == 1 and f"another {name}" in text
    written(folder, [-1.0, -0.999], HIGH, splits)
    code, text = said(folder, capsys)
    assert code == 1 and "no box" in text
    written(folder, [-1.0], [1.0], splits)
    assert said(folder, capsys)[0] == 1


@pytest.mark.parametrize("seed", range(3))
def test_hints_of_any_kind_are_harmless(folder: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(seed)
    arrays: dict[str, ArrayLike] = {
        "arrays/0.npy": np.float32(rng.normal(size=(24, 12)) * 10.0**seed),
        "arrays/1.npy": rng.random((24, 12)) < 0.5,
        "arrays/2.npy": np.arange(12),
        "arrays/3.npy": np.array([[-1.0], [1.0]]),
        "arrays/4.npy": np.float16(rng.random((2, 12))),
    }
    hints = [
        {
            "node": 0,
            "target": "z1",
            "entries": "arrays/2.npy",
            "slopes": [{"out": "a0", "slopes": ["arrays/0.npy"], "upper": "arrays/1.npy"}],
        },
        {
            "node": 0,
            "rows": "arrays/3.npy",
            "slopes": [{"out": "a1", "slopes": ["arrays/4.npy"]}, {"out": "a0", "slopes": ["arrays/4.npy"]}],
        },
    ]
    written(folder, LOW, HIGH, [], {"hints": hints}, arrays)
    code, text = said(folder, capsys, "--extra-splits", "14")
    assert code == 0, text


def test_good_slopes_are_used(folder: Path) -> None:
    """A bound of the row at the root is another one with the slopes of a hint."""
    written(folder, LOW, HIGH)
    hint = {"node": 0, "slopes": [{"out": "a1", "slopes": ["arrays/0.npy"]}]}
    found = []
    slopes: dict[str, ArrayLike] = {"arrays/0.npy": np.full((1, 12), 0.37)}
    for header, arrays in ((None, None), ({"hints": [hint]}, slopes)):
        proof = written(folder, LOW, HIGH, [], header, arrays)
        check = Check(load(folder / "m.onnx", folder / "s.vnnlib", proof, Limits(0)))
        task = check._hinted(check._roots()[0])
        hints = [] if task.hint is None else [task.hint]
        forms = check._forms(check._values([task], tighten=False), np.zeros(1, dtype=np.int64), hints)
        found.append(least_on(forms, task.low[None], task.high[None])[0, 0])
    assert found[0] != found[1]


def mutate(
    rng: np.random.Generator, splits: Splits
) -> tuple[Splits, dict[str, Any], dict[str, Any], list[float]]:
    """The tree changed at random places, with hints and joins of nonsense."""
    changed = list(splits)
    for _ in range(int(rng.integers(0, 4))):
        i = int(rng.integers(len(changed)))
        node, tensor, entry, point = changed[i]
        kind = rng.integers(5)
        if kind == 0:
            changed[i] = (node, tensor, entry, float(rng.normal() * 10.0 ** rng.integers(-3, 3)))
        elif kind == 1:
            changed[i] = (node, tensor, 1 - entry if tensor < 0 else entry, point)
        elif kind == 2:
            changed[i] = (node, int(rng.integers(-1, 2)), int(rng.integers(12)), float(rng.normal()))
        elif kind == 3:
            changed = changed[: i + 1]
        else:
            changed[i] = (int(rng.integers(0, 1 + 2 * max(i, 1))), tensor, entry, point)
    arrays = {"arrays/0.npy": rng.normal(size=(1, 12)) * 10.0 ** rng.integers(-2, 5)}
    out = ["a0", "a1", "z1", "y"][rng.integers(4)]
    hint: dict[str, Any] = {"node": int(rng.integers(3)), "target": [None, "z1", "a1"][rng.integers(3)]}
    hint["slopes"] = [{"out": out, "slopes": ["arrays/0.npy"]}]
    header: dict[str, Any] = {"tensors": ["z0", "z1"], "hints": [hint] if rng.random() < 0.5 else []}
    if rng.random() < 0.2:
        header["functions"] = [{"out": out, "args": [["z0", "z1", "a0"][rng.integers(3)]]}]
    high = [1.0, 1.0] if rng.random() < 0.8 else [float(rng.normal()), 3.0]
    return changed, header, arrays, high


def test_nothing_false_is_ever_accepted(
    folder: Path, false_folder: Path, splits: Splits, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    codes = []
    for _ in range(120):
        changed, header, arrays, high = mutate(rng, splits)
        written(false_folder, LOW, high, changed, header, arrays)
        codes.append(said(false_folder, capsys, "--extra-splits", "0")[0])
    assert 0 not in codes and {1, 2} <= set(codes)
