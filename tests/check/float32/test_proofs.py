"""Proofs about float32: what an execution breaks is rejected, though it holds over the reals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbab.check import question, tree
from genbab.check.__main__ import main
from genbab.check.executed.operators import Charger
from genbab.check.model.program import Wire
from genbab.check.model.reading import read
from tests.check.files import model, specification, written
from tests.check.float32.executions import executions
from tests.check.test_operators import node, one
from tests.soundness.float32.differing import Differing, differing
from tests.soundness.float32.networks import points, random_network

EXTRA = "5"
FLOAT32 = {"arithmetic": "float32", "elementary": "onnxruntime"}
Capture = pytest.CaptureFixture[str]


def asked(
    folder: Path, data: bytes, box: tuple[list[float], list[float]], unsafe: str, header: dict[str, Any]
) -> int:
    """The exit code for a proof of one box, a little larger than the one that the decimals describe."""
    (folder / "m.onnx").write_bytes(data)
    (folder / "s.vnnlib").write_text(specification(*box, 1, unsafe))
    written(folder, np.nextafter(box[0], -np.inf), np.nextafter(box[1], np.inf), header=header)
    return main([*(str(folder / name) for name in ("m.onnx", "s.vnnlib", "proof")), "--extra-splits", EXTRA])


def both(folder: Path, data: bytes, box: tuple[list[float], list[float]], unsafe: str) -> tuple[int, int]:
    """The exit codes over the reals and in float32."""
    return asked(folder, data, box, unsafe, {}), asked(folder, data, box, unsafe, FLOAT32)


def cancelling() -> bytes:
    """(x + 1e8) - 1e8, less x."""
    nodes = [node("Add", "x", "c", out="t"), node("Sub", "t", "c", out="s"), node("Sub", "s", "x")]
    return model(nodes, {"c": one(1e8)}, (1,))


def overflowing() -> bytes:
    """log(exp(x))."""
    return model([node("Exp", out="t"), node("Log", "t")], {}, (1,))


def test_the_verdict_names_the_arithmetic(tmp_path: Path, capsys: Capture) -> None:
    box = ([1.0], [2.0])
    unsafe = "(assert (or (and (<= Y_0 -4)) (and (>= Y_0 4))))"
    assert both(tmp_path, cancelling(), box, unsafe) == (0, 1)
    unsafe = "(assert (or (and (<= Y_0 -40)) (and (>= Y_0 40))))"
    assert both(tmp_path, cancelling(), box, unsafe) == (0, 0)
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("accepted in float32 (elementary functions: onnxruntime): 1 boxes")
    assert said[-2].startswith("accepted: 1 boxes") and said[-3].startswith("rejected")


def test_what_cancels_is_not_exact(tmp_path: Path) -> None:
    unsafe = "(assert (or (and (<= Y_0 -0.001)) (and (>= Y_0 0.001))))"
    assert both(tmp_path, cancelling(), ([1.0], [2.0]), unsafe) == (0, 1)


@pytest.mark.parametrize(("high", "codes"), [(80.0, (0, 0)), (100.0, (0, 1))])
def test_what_overflows_is_rejected(high: float, codes: tuple[int, int], tmp_path: Path) -> None:
    assert both(tmp_path, overflowing(), ([0.0], [high]), f"(assert (>= Y_0 {high + 1}))") == codes


def test_what_overflows_is_rejected_whatever_comes_after(tmp_path: Path) -> None:
    """Whatever is clipped to [-1, 1] is above -2; but not NaN."""
    nodes = [node("Exp", out="t"), node("Sub", "t", "t", out="s"), node("Clip", "s", "a", "b")]
    data = model(nodes, {"a": one(-1), "b": one(1)}, (1,))
    assert both(tmp_path, data, ([0.0], [100.0]), "(assert (<= Y_0 -2))") == (0, 1)
    assert both(tmp_path, data, ([0.0], [70.0]), "(assert (<= Y_0 -2))") == (0, 0)
    nodes = [node("Mul", "x", "c", out="t"), node("Mul", "t", "t", out="s"), node("Tanh", "s")]
    data = model(nodes, {"c": one(1e30)}, (1,))
    assert both(tmp_path, data, ([0.0], [1.0]), "(assert (>= Y_0 2))") == (0, 1)


def test_inputs_are_read_as_either_neighbour(tmp_path: Path) -> None:
    """An input of 0.1 may be 0.099999994 or 0.1000000015."""
    data, box = model([node("Neg")], {}, (1,)), ([0.1], [0.1])
    for limit, code in ((-0.0999999999, 1), (-0.09999999, 0)):
        assert both(tmp_path, data, box, f"(assert (>= Y_0 {limit}))") == (0, code)
    for limit, code in ((-0.1000000001, 1), (-0.10000001, 0)):
        assert both(tmp_path, data, box, f"(assert (<= Y_0 {limit}))") == (0, code)


@pytest.mark.parametrize("case", differing(), ids=lambda case: case.name)
def test_what_some_execution_breaks_is_rejected(case: Differing, tmp_path: Path) -> None:
    data = case.model.SerializeToString()
    codes = both(tmp_path, data, ([case.low], [case.high]), f"(assert (<= Y_0 {case.limit!r}))")
    assert codes[0] in (0, 2) and codes[1] in (1, 2)
    if case.name in (
        "tenths",
        "accumulation",
        "order of terms",
        "cancelling residual",
        "difference of squares",
    ):
        assert codes == (0, 1)


@pytest.mark.parametrize("seed", range(6))
def test_a_margin_that_executions_use_up_is_no_margin(seed: int, tmp_path: Path) -> None:
    """At one point, limits that an execution reaches and the real value does not."""
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(40, 1)).astype(np.float32), rng.normal(size=(1, 40)).astype(np.float32)
    data = model([node("MatMul", "x", "w", out="t"), node("Tanh", "t")], {"w": w}, (1, 40))
    least = min(float(found["y"].min()) for found in executions(data, x[None], "onnxruntime", seed))
    real = float(np.tanh(x.astype(np.float64) @ w.astype(np.float64))[0, 0])
    assert least < real
    box = x[0].astype(float).tolist(), x[0].astype(float).tolist()
    middle = (least + real) / 2
    assert both(tmp_path, data, box, f"(assert (<= Y_0 {middle!r}))") == (0, 1)
    assert both(tmp_path, data, box, f"(assert (<= Y_0 {real - 1e-4!r}))") == (0, 0)


def test_sums_that_overflow_before_they_are_divided_are_rejected(tmp_path: Path) -> None:
    """A mean of numbers each of which float32 has, by itself and with a factor."""
    nodes = [
        node("Mul", "x", "c", out="t"),
        node("Reshape", "t", "s", out="r"),
        node("AveragePool", "r", kernel_shape=[64], out="m"),
        node("Mul", "m", "f", out="p"),
        node("Reshape", "p", "one"),
    ]
    whole = {"s": np.array([1, 1, 64]), "one": np.array([1])}
    data = model(nodes, {"c": np.full(64, 1e15, np.float32), "f": one(1e-30), **whole}, (1,))
    assert both(tmp_path, data, ([0.0], [1e20]), "(assert (>= Y_0 1e8))") == (0, 1)
    assert both(tmp_path, data, ([0.0], [1e10]), "(assert (>= Y_0 1e8))") == (0, 0)


@pytest.mark.parametrize("wrong", ["float64", "float16", "bfloat16", "Float32", 32])
def test_other_arithmetics_are_refused(wrong: object, tmp_path: Path, capsys: Capture) -> None:
    box = ([0.0], [1.0])
    assert asked(tmp_path, cancelling(), box, "(assert (>= Y_0 9))", {"arithmetic": wrong}) == 2
    assert "float32" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["", "0ulp", "1000ulp", "mine", 4, None])
def test_unknown_tables_are_refused(wrong: object, tmp_path: Path, capsys: Capture) -> None:
    header = {**FLOAT32, "elementary": wrong}
    assert asked(tmp_path, cancelling(), ([0.0], [1.0]), "(assert (>= Y_0 900))", header) == 2
    assert "elementary" in capsys.readouterr().err


def test_models_of_other_types_are_refused(tmp_path: Path, capsys: Capture) -> None:
    double = model([node("Cast", to=11, out="t"), node("Cast", "t", to=11)], {}, (1,))
    assert asked(tmp_path, double, ([0.0], [1.0]), "(assert (>= Y_0 9))", FLOAT32) == 2
    assert "no float32 rule" in capsys.readouterr().err


def test_faults_in_what_surrounds_the_rules_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbours = (model([node("Neg")], {}, (1,)), ([0.1], [0.1]), "(assert (>= Y_0 -0.0999999999))")
    with monkeypatch.context() as patch:
        patch.setattr(question, "around", lambda box: box)
        assert both(tmp_path, *neighbours) == (0, 0), "the input's neighbours are forgotten"
    nodes = [node("Exp", out="t"), node("Sub", "t", "t", out="s"), node("Clip", "s", "a", "b")]
    data = model(nodes, {"a": one(-1), "b": one(1)}, (1,))
    lost = (data, ([0.0], [100.0]), "(assert (<= Y_0 -2))")
    with monkeypatch.context() as patch:
        patch.setattr(tree, "kept", lambda left, *_: left)
        assert both(tmp_path, *lost) == (0, 0), "what may be infinite is forgotten"
    assert both(tmp_path, *neighbours) == both(tmp_path, *lost) == (0, 1)


def mutated(rng: np.random.Generator, names: list[str], inputs: int) -> tuple[list[Any], dict[str, Any]]:
    """Splits, hints and joins of nonsense, of tensors that are there."""
    splits, node_count = list[tuple[int, int, int, float]](), 1
    for _ in range(int(rng.integers(0, 6))):
        tensor = int(rng.integers(-1, len(names)))
        entry = int(rng.integers(inputs)) if tensor < 0 else 0
        splits.append((node_count - 1 if splits else 0, tensor, entry, float(rng.normal())))
        node_count += 2
    pairs = [{"out": b, "args": [a]} for a, b in zip(names, names[1:], strict=False)]
    return splits, {"tensors": names, "functions": pairs[: int(rng.integers(0, 8))]}


@pytest.mark.parametrize("seed", [0, 1, 2, 5, 8, 17, 19, 21, 29])
def test_nothing_that_an_execution_breaks_is_ever_accepted(
    seed: int, tmp_path: Path, capsys: Capture
) -> None:
    """Limits at the least output of some executions, and a little above."""
    case = random_network(seed)
    data, rng = case.model.SerializeToString(), np.random.default_rng(seed)
    program = read(data, Charger("4ulp"))
    names = [name for name, t in program.tensors.items() if isinstance(t, Wire) and name != "x"]
    out, x = case.model.graph.output[0].name, points(case, 12, seed)
    runs = [run[out].reshape(len(x), -1)[:, 0] for run in executions(data, x, "4ulp", seed, 13)]
    least = float(np.min(runs))
    low, high = (end.ravel().astype(float).tolist() for end in (case.low, case.high))
    outputs = program.size(program.tensors[out].step)  # type: ignore[union-attr]
    (tmp_path / "m.onnx").write_bytes(data)
    for off in (0.0, 1e-6, 1e-3):
        limit = least + off * abs(least)
        text = specification(low, high, outputs, f"(assert (<= Y_0 {limit!r}))")
        (tmp_path / "s.vnnlib").write_text(text)
        splits, said = mutated(rng, names, len(low))
        header = {"arithmetic": "float32", "elementary": "4ulp", **said}
        written(tmp_path, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), splits, header)
        files = [str(tmp_path / name) for name in ("m.onnx", "s.vnnlib", "proof")]
        assert main([*files, "--extra-splits", "2"]) == 1, capsys.readouterr().out
