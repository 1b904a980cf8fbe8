"""Hidden tensors in VNN-LIB 2: written, read, decided; what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import genbab
from genbab.cli import main
from genbab.errors import SpecError
from genbab.reader import activated
from genbab.specs import (
    Hidden,
    Input,
    Network,
    Spec,
    box,
    format_vnnlib,
    format_vnnlib2,
    never,
    parse_vnnlib,
    read_vnnlib,
    satisfies,
    write_vnnlib2,
)
from genbab.specs.vnnlib2 import reader as reader2

pytest.importorskip("vnnlib")

HEAD = "(vnnlib-version <2.0>)(declare-network f (declare-input X real [2])"
TAIL = "(declare-output Y real [1]))"
BOX = "".join(f"(assert (<= X[{i}] 1.0))(assert (>= X[{i}] 0.0))" for i in range(2))
SECOND = "(declare-network g (equal-to f) (declare-input Z real [2]){0}(declare-output W real [1]))"
SAME = "".join(f"(assert (== X[{i}] Z[{i}]))" for i in range(2))


def same_points(a: Spec, b: Spec, seed: int) -> None:
    """Assert that both speak of the same columns and decide random points alike, some of them unsafe."""
    assert (a.hidden, a.output_size, a.input_size) == (b.hidden, b.output_size, b.input_size)
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(300):
        x = generator.integers(0, 5, a.input_size) / 4
        y = generator.integers(-4, 5, a.output_size) / 2
        found.append(a.violation(x, y))
        assert found[-1] == b.violation(x, y)
    assert None in found and len(set(found)) > 1


def test_what_is_written_is_read() -> None:
    f, x, t = Network(2), Input(2), Input(2, name="t")
    y, z = f(x), f(t)
    inside, later = y.hidden("relu (1)", 2, 2), z.hidden("a.b/é", 3)
    region = box(x, 0, 1) & box(t, 0, 1)
    one = never(box(x, 0, 1) & (inside[0, 1] >= 0.5) & ((y[0] <= inside[1, 0]) | (inside[1, 1] * y[1] >= 2)))
    two = never(region & (z[1] + inside[0, 0] <= later[2]) & ((later[0] > y[0]) | (x[0] > later[1])))
    for seed, spec in enumerate((one, two)):
        same_points(spec, parse_vnnlib(format_vnnlib2(spec)), seed)
        with pytest.raises(SpecError, match="cannot say .*hidden tensors"):
            format_vnnlib(spec)
    with pytest.raises(SpecError, match="between quotes"):
        format_vnnlib2(replace(one, hidden=(Hidden('"', 4),)))


def test_arrays_and_walk_agree_whatever_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'{HEAD}(declare-hidden H real [2, 2] "a(b [.) (assert (<= é"){TAIL}{BOX}'
    text += "(assert (or (and (<= H[1,0] 0.5) (>= Y[0] H[0,1])) (== H[1,1] 0.1)))"
    first = parse_vnnlib(text)
    monkeypatch.setattr(reader2, "read_assertions", lambda *_: None)
    same_points(first, parse_vnnlib(text), 0)
    assert first.hidden == (Hidden("a(b [.) (assert (<= é", 4),)


def test_runs_that_declare_different_hidden_tensors() -> None:
    """Every run has columns for all of them; two names of one tensor are the same entries."""
    text = f'{HEAD}(declare-hidden H real [2] "h")(declare-hidden J real [2] "h"){TAIL}'
    text += SECOND.format('(declare-hidden K real [1, 3] "k")') + BOX + SAME
    spec = parse_vnnlib(f"{text}(assert (and (<= H[0] 1.0) (>= J[0] 1.0) (< K[0,2] W[0]) (> Y[0] W[0])))")
    assert spec.hidden == (Hidden("h", 2), Hidden("k", 3)) and spec.output_size == 2 * (1 + 2 + 3)
    y, h, k = 0, slice(1, 3), slice(3, 6)
    point = np.zeros((2, 6))
    point[0, h], point[0, y], point[1, y], point[1, k] = (1, 7), 2, 1, (9, 9, 0)
    assert spec.violation([0.5, 0.5], point) == 0
    for run, column in ((0, 1), (0, 0), (1, 0), (1, 5)):
        changed = point.copy()
        changed[run, column] = 0.5 if (run, column) == (0, 0) else 3.0
        assert spec.violation([0.5, 0.5], changed) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{HEAD}(declare-hidden H int32 [2] "h"){TAIL}{BOX}', "H has the type I32"),
        (
            f'{HEAD}(declare-hidden H real [2] "h"){TAIL}{SECOND}'.replace(
                "{0}", '(declare-hidden K real [3] "h")'
            ),
            "K has 3 numbers, 'h' was declared with 2",
        ),
        (
            f'{HEAD}(declare-hidden H real [2] "h"){TAIL}'
            + SECOND.replace("(equal-to f)", "").replace("{0}", "")
            + BOX,
            "H is a hidden tensor, which is not supported for several models",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_vnnlib(f"{text}(assert (<= Y[0] 1.0))")


def test_files_are_decided_as_what_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = (
        torch.nn.Linear(2, 4),
        torch.nn.Tanh(),
        torch.nn.Linear(4, 4),
        torch.nn.ReLU(),
        torch.nn.Linear(4, 2),
    )
    model = genbab.load(torch.nn.Sequential(*layers).eval(), example=torch.zeros(1, 2))
    name = activated(model)[0].name
    x = Input(2)
    y = Network(2)(x)
    h = y.hidden(name, 4)
    config = genbab.Config(timeout=20, attack_restarts=32, attack_steps=30)
    verdicts = set()
    for limit in (-20.0, 20.0):
        spec = never(box(x, -1, 1) & (h[0] >= 0) & (y[0] <= limit))
        path = tmp_path / f"h{limit}.vnnlib"
        write_vnnlib2(spec, path)
        read = read_vnnlib(path, 2, 2)
        found = genbab.verify(model, read, config)
        assert found.verdict == genbab.verify(model, spec, config).verdict
        verdicts.add(found.verdict)
        if point := found.counterexample:
            values = {"X": point.x.tolist(), "Y": point.y[:2].tolist(), "H": point.y[2:].tolist()}
            assert satisfies(path, values) and not satisfies(path, {**values, "H": [-1.0] * 4})
            with pytest.raises(SpecError, match="no values of H"):
                satisfies(path, {"X": values["X"], "Y": values["Y"]})
    assert len(verdicts) == 2
    lost = parse_vnnlib(path.read_text().replace(name, "nowhere"))
    with pytest.raises(SpecError, match="no tensor or node 'nowhere'"):
        genbab.verify(model, lost, config)
    wide = parse_vnnlib(path.read_text().replace("real [4]", "real [5]"))
    with pytest.raises(SpecError, match="has 4 numbers, the specification says 5"):
        genbab.verify(model, wide, config)


def test_queries_of_the_standard_do_not_take_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query, model = tmp_path / "q.vnnlib", tmp_path / "f.onnx"
    query.write_text(f'{HEAD}(declare-hidden H real [2] "h"){TAIL}{BOX}(assert (<= H[0] 1.0))')
    model.write_bytes(b"never read")
    assert main(["verify", str(query), "--network", f"f={model}"]) == 2
    assert "speaks of hidden tensors (h)" in capsys.readouterr().err
