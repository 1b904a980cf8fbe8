"""The solver interface of the VNN-LIB standard: queries about several networks, answers in its words."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from genbab.cli import main
from genbab.cli.options.verify import CAPABILITIES
from genbab.cli.verify.supports import ANSWERS

from .conftest import FAKE, Command, Said, environment
from .networks import MIXED, TWO, mixed_holds, outputs_of, parsed, save

FLOAT = TWO.replace("real", "float32") + "(assert (<= (+ Y[0,0] 0.25) W[0,0]))\n"
Models = dict[str, Path]


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """f, g = f + 0.5 and h of two inputs and two outputs; the queries lie beside them."""
    made = {
        "f": save(tmp_path / "f.onnx", 0),
        "g": save(tmp_path / "g.onnx", 0, 0.5),
        "h": save(tmp_path / "h.onnx", 1, 0.0, ("p", "q"), ("z", "v")),
    }
    for name, text in {
        "unsat": TWO + "(assert (>= Y[0,0] W[0,0]))\n",
        "sat": TWO + "(assert (<= (+ Y[0,0] 0.25) W[0,0]))\n",
        "float": FLOAT,
        "mixed": MIXED,
        "empty": TWO + "(assert (>= X[0,0] 2.0))\n(assert (<= Y[0,0] 0.0))\n",
    }.items():
        (tmp_path / f"{name}.vnnlib").write_text(text)
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """`genbab WORD...` in this process, as if it had just begun, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genbab.cli.verify.verify.process_start", time.monotonic)

    def run(*words: object) -> Said:
        began = time.monotonic()
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return Said(code, out, err, time.monotonic() - began)

    return run


def given(*names: str) -> list[str]:
    return [word for name in names for word in ("--network", f"{name}={name}.onnx")]


def refused(said: object, *words: str) -> None:
    code, out, err = (getattr(said, name) for name in ("code", "out", "err"))
    assert (code, out) == (2, "") and err.startswith("genbab: error: ") and "Traceback" not in err
    assert all(word in err for word in words), err


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_capability_is_answered_in_the_standards_form(here: Command, capability: str) -> None:
    said = here("supports", f"--{capability}")
    lines = said.out.splitlines()
    assert said.code == 0 and said.err == "" and lines and all(lines)
    forms = {
        "onnx-opset-versions": r"\d+",
        "onnx-element-types": "real|float16|bfloat16|float32|float64",
        "onnx-operators": r"[A-Z]\w+",
        "vnnlib-versions": r"\d+\.\d+",
        "hidden-node-theories": "NH|H",
        "multiple-input-output-theories": "SIO|MIO",
        "multiple-network-theories": "SNET|MENET|MINET|MNET",
        "multiple-node-comparison-theories": "SNC|MNC",
        "arithmetic-complexity-theories": "BND|OUTC|LIN|POLY",
    }
    assert all(re.fullmatch(forms.get(capability, "true|false"), line) for line in lines)
    if capability.endswith("-versions"):
        assert len(lines) == 2 and float(lines[0]) <= float(lines[1])


def test_capabilities_are_those_that_can_be_asked() -> None:
    assert set(ANSWERS) == set(CAPABILITIES)


def test_what_is_no_capability(here: Command) -> None:
    for words in ([], ["--onnx"], ["real"], ["--vnnlib-versions", "--unsat-proofs"]):
        refused(here("supports", *words))


def test_two_networks_unsat(here: Command, models: Models) -> None:
    said = here("verify", "unsat.vnnlib", *given("f", "g"), "--timeout", "40")
    assert (said.code, said.out) == (0, "unsat\n")
    assert "every clause" in said.err


def test_equal_inputs_may_stand_inside_of_and(here: Command, models: Models, tmp_path: Path) -> None:
    """Inputs made equal there have the bounds of those that they are equal to, too."""
    apart = "(assert (== X[0,0] U[0,0]))\n(assert (== U[0,1] X[0,1]))\n"
    inside = "(assert (and (== X[0,0] U[0,0]) (and (== U[0,1] X[0,1]) (>= Y[0,0] W[0,0]))))\n"
    assert apart in TWO
    (tmp_path / "q.vnnlib").write_text(TWO.replace(apart, inside))
    assert here("verify", "q.vnnlib", *given("f", "g"), "--timeout", "40", "--quiet").out == "unsat\n"
    either = inside.replace("(and (==", "(or (==", 1)
    (tmp_path / "q.vnnlib").write_text(TWO.replace(apart, either))
    refused(here("verify", "q.vnnlib", *given("f", "g")), "U[0,0] has no lower")


def test_two_networks_sat(genbab: Command, models: Models) -> None:
    said = genbab("verify", "sat.vnnlib", *given("g", "f"), "--timeout", "40", "--quiet")
    first, *rest = said.out.splitlines()
    found = parsed(rest)
    assert (said.code, said.err, first) == (0, "", "sat")
    assert [(n, k, v.shape) for n, (k, v) in found.items()] == [
        (name, "real", shape) for name, shape in zip("XYUW", [(1, 2), (1, 1)] * 2, strict=True)
    ]
    x, y, u, w = (found[name][1] for name in "XYUW")
    assert (x == u).all() and (x >= 0).all() and (x <= 1).all()
    assert outputs_of(models["f"], x)[0] == y and outputs_of(models["g"], u)[0] == w and y + 0.25 <= w


def test_runs_and_networks_together_serialised_and_printed(
    here: Command, models: Models, tmp_path: Path
) -> None:
    words = ["verify", "mixed.vnnlib", *given("f", "h"), "--timeout", "40", "--quiet"]
    for flag in ("--serialise-assignments", "--serialize-assignments"):
        said = here(*words, flag, "deep/folder")
        assert (said.code, said.out, said.err) == (0, "sat\n", "")
    files = sorted(tmp_path.glob("deep/folder/*"))
    assert [f.name for f in files] == sorted(f"{n}.pb" for n in ("X", "Y", "X2", "Y2", "P", "Q", "Z", "V"))
    tensors = {f.stem: onnx.load_tensor(f) for f in files}
    assert {t.data_type for t in tensors.values()} == {onnx.TensorProto.FLOAT}
    stored = {name: numpy_helper.to_array(t) for name, t in tensors.items()}
    assert mixed_holds(models, {name: value.astype(float) for name, value in stored.items()})
    printed = parsed(here(*words).out.splitlines()[1:])
    assert list(printed) == ["X", "Y", "X2", "Y2", "P", "Q", "Z", "V"]
    assert mixed_holds(models, {name: value for name, (_, value) in printed.items()})
    for name, (_, value) in printed.items():
        assert value.shape == stored[name].shape and np.array_equal(value, stored[name].astype(float))


def test_doubles_are_serialised_as_doubles(here: Command, tmp_path: Path) -> None:
    path = save(tmp_path / "d.onnx", 3, kind=onnx.TensorProto.DOUBLE)
    text = TWO.split("(declare-network g")[0] + "".join(TWO.splitlines(True)[3:5])
    (tmp_path / "q.vnnlib.gz").write_bytes(gzip.compress(f"{text}(assert (<= Y[0,0] 100.0))\n".encode()))
    said = here("verify", "q.vnnlib.gz", "--network", f"f={path}", "--serialise-assignments", "out")
    assert said.out == "sat\n"
    x, y = (onnx.load_tensor(tmp_path / "out" / f"{n}.pb") for n in "XY")
    assert x.data_type == y.data_type == onnx.TensorProto.DOUBLE
    assert np.allclose(outputs_of(path, numpy_helper.to_array(x))[0], numpy_helper.to_array(y), atol=1e-12)


def test_an_earlier_assignment_does_not_survive(here: Command, models: Models, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("X.pb", "other.pb"):
        (tmp_path / "out" / name).write_text("old")
    words = ["verify", "unsat.vnnlib", *given("f", "g"), "--serialise-assignments", "out"]
    assert here(*words).out == "unsat\n"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["other.pb"]


@pytest.mark.parametrize("more", [(), ("--over-reals",)])
def test_a_query_of_float32_is_answered(here: Command, models: Models, more: tuple[str, ...]) -> None:
    said = here("verify", "float.vnnlib", *given("f", "g"), *more, "--quiet", "--json", "found.json")
    first, *rest = said.out.splitlines()
    assert first == "sat" and {kind for kind, _ in parsed(rest).values()} == {"float32"}
    assert json.loads(Path("found.json").read_text())["arithmetic"] == ("real" if more else "float32")


def test_a_query_of_another_type_is_refused(here: Command, models: Models) -> None:
    Path("half.vnnlib").write_text(Path("float.vnnlib").read_text().replace("float32", "float16"))
    refused(here("verify", "half.vnnlib", *given("f", "g")), "computes in float32", "--arithmetic float32")
    refused(
        here("verify", "float.vnnlib", *given("f", "g"), "--arithmetic", "float16"), "computes in float32"
    )
    refused(here("verify", "float.vnnlib", *given("f", "g"), "--arithmetic", "float64"), "float32", "float64")


def test_no_input_at_all_is_unsat(here: Command, models: Models) -> None:
    said = here("verify", "empty.vnnlib", *given("f", "g"))
    assert (said.code, said.out) == (0, "unsat\n") and "empty" in said.err
    refused(here("verify", "empty.vnnlib", *given("f")), "no model is given for g")


STRICT = """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [1,2]) (declare-output Y real [1,1]))
(assert (and (> X[0,0] 0.0) (< X[0,0] 1.0)))
(assert (and (> X[0,1] 0.0) (< X[0,1] 1.0)))
"""


@pytest.mark.parametrize("more", ["(<= Y[0,0] 0.9)", "(< (* X[0,0] Y[0,0]) (- X[0,1] 0.001))"])
def test_bounds_that_are_excluded_are_no_answer(
    here: Command, models: Models, tmp_path: Path, more: str
) -> None:
    (tmp_path / "q.vnnlib").write_text(f"{STRICT}(assert {more})\n")
    first, *rest = here("verify", "q.vnnlib", *given("f"), "--timeout", "20", "--quiet").out.splitlines()
    x, y = (parsed(rest)[name][1][0] for name in "XY")
    assert first == "sat" and (x > 0).all() and (x < 1).all()
    assert y[0] <= 0.9 if "0.9" in more else x[0] * y[0] < x[1] - 0.001


def test_a_point_that_only_rounding_admits_is_none(here: Command, models: Models, tmp_path: Path) -> None:
    """The only float32 number of the box is one that the text excludes by less than a float64 can tell."""
    near = "0.1000000014901161193847656250001"  # float32(0.1) is 0.100000001490116119384765625
    fixed = f"(assert (>= X[0,1] {near}))(assert (<= X[0,1] {near}))(assert (<= Y[0,0] 100.0))\n"
    text = STRICT.replace("(assert (and (> X[0,1] 0.0) (< X[0,1] 1.0)))\n", fixed)
    (tmp_path / "q.vnnlib").write_text(text)
    said = here("verify", "q.vnnlib", *given("f"), "--timeout", "20")
    assert said.out == "unknown\n" and "a real point of the box violates" in said.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["sat.vnnlib", *given("f")], ["no model is given for g", "declares f, g"]),
        (["sat.vnnlib", *given("f", "g", "h")], ["there is no network h"]),
        (["sat.vnnlib", "--network", "F=f.onnx"], ["for f", "for g", "no network F"]),
        (["sat.vnnlib", *given("f", "f", "g")], ["f is given twice"]),
        (["sat.vnnlib", "--network", "f.onnx"], ["--network f.onnx", "NAME=MODEL"]),
        (["sat.vnnlib", "--network", "=f.onnx"], ["NAME=MODEL"]),
        (["sat.vnnlib", "--network"], ["--network"]),
        (["f.onnx", "sat.vnnlib", *given("f")], ["only the query", "sat.vnnlib"]),
        (["f.onnx", "sat.vnnlib"], ["the networks f, g have a model each", "--network"]),
        (["f.onnx", "sat.vnnlib", "--serialise-assignments", "d"], ["--serialise-assignments", "--network"]),
        (["f.onnx", "sat.vnnlib", "--over-reals"], ["--over-reals", "--network"]),
        (["mixed.vnnlib", *given("f", "h"), "--network", "f2=f.onnx"], ["f2 is equal to f"]),
        (["mixed.vnnlib", "--network", "f=h.onnx", "--network", "h=f.onnx"], ["h.onnx", "p, q", "found X"]),
        (["sat.vnnlib", "--network", "f=none.onnx", *given("g")], ["none.onnx", "no such file"]),
        (["sat.vnnlib", "--network", "f=sat.vnnlib", *given("g")], ["sat.vnnlib"]),
        (["none.vnnlib", *given("f")], ["query none.vnnlib", "no such file"]),
        (["f.onnx", *given("f")], ["f.onnx"]),
        (["sat.vnnlib", *given("f", "g"), "--serialise-assignments", ""], ["folder is empty"]),
        (["sat.vnnlib", *given("f", "g"), "--serialise-assignments", "f.onnx"], ["folder f.onnx"]),
        (["sat.vnnlib", *given("f", "g"), "--serialise-assignments", "/proc/no"], ["folder /proc/no"]),
        (["sat.vnnlib", *given("f", "g"), "--json", "g.onnx"], ["must differ"]),
        (["sat.vnnlib", *given("f", "g"), "--timeout", "-3"], ["--timeout -3"]),
    ],
)
def test_what_does_not_fit_is_an_error(
    here: Command, models: Models, words: list[str], named: list[str]
) -> None:
    refused(here("verify", *words), *named)


def test_a_model_of_other_sizes_is_an_error(here: Command, models: Models, tmp_path: Path) -> None:
    (tmp_path / "q.vnnlib").write_text((tmp_path / "sat.vnnlib").read_text().replace("[1,2]", "[1,3]"))
    refused(here("verify", "q.vnnlib", *given("f", "g")), "X[0,2] has no lower")
    one = TWO.split("(declare-network g")[0].replace("[1,2]", "[3]")
    bounds = "".join(f"(assert (and (>= X[{i}] 0.0) (<= X[{i}] 1.0)))" for i in range(3))
    (tmp_path / "q.vnnlib").write_text(f"{one}{bounds}(assert (<= Y[0,0] 0.0))")
    refused(here("verify", "q.vnnlib", *given("f")), "X is declared [3]", "x is [1, 2]")


@pytest.mark.parametrize(
    ("how", "first"), [("verified", "unsat"), ("falsified", "sat"), ("unknown", "unknown")]
)
def test_the_first_line_and_nothing_but_the_assignment(
    fake: Command, pair: tuple[Path, Path], how: str, first: str
) -> None:
    said = fake(how, "verify", pair[1], "--network", f"any={pair[0]}")
    assert said.code == 0 and said.out.splitlines()[0] == first and "reason" in said.err
    witness = "((X_0 0.10000000149011612)\n(Y_0 -1))\n" if how == "falsified" else ""
    assert said.out == f"{first}\n{witness}"


@pytest.mark.parametrize("how", ["bug", "memory", "unsupported", "nan_bound"])
def test_failures_print_no_answer(fake: Command, pair: tuple[Path, Path], how: str) -> None:
    said = fake(how, "verify", pair[1], "--network", f"any={pair[0]}")
    assert said.code >= 2 and said.out == "" and "Traceback" not in said.err


def test_without_stderr_stdout_is_the_same(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for how, code, out in (("verified", 0, "unsat\n"), ("bug", 4, "")):
        words = [sys.executable, str(FAKE), how, "verify", str(pair[1]), "--network", f"any={pair[0]}"]
        shell = ["sh", "-c", '"$@" 2>&-', "sh", *words]
        done = subprocess.run(
            shell, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout) == (code, out)


@pytest.mark.parametrize("how", ["polite", "deaf"])
def test_time_and_signals_end_it_with_an_answer(
    fake: Command, pair: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    words = ["verify", str(pair[1]), "--network", f"any={pair[0]}"]
    said = fake(how, *words, "--timeout", "1")
    assert (said.code, said.out) == (0, "timed-out\n") and said.seconds < 5
    command = [sys.executable, str(FAKE), how, *words, "--trace", str(tmp_path / "t.jsonl")]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        late = time.monotonic() + 20
        while time.monotonic() < late and not (tmp_path / "t.jsonl").exists():
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (143, "unknown\n") and "interrupted by SIGTERM" in err
