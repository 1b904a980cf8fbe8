"""What bad input gets from the command line: one clear message, exit code 2 or more, never a verdict."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import BOX, ROOT, Command, environment

MODEL = ROOT / "examples" / "onnx" / "controller.onnx"
needs_engine = pytest.mark.skipif(
    importlib.util.find_spec("genbab.api") is None, reason="no engine in this tree"
)
VERDICTS = ("verified", "falsified", "unknown", "timeout")


def refused(said: object, *words: str) -> None:
    code, out, err = (getattr(said, name) for name in ("code", "out", "err"))
    assert code >= 2 and "Traceback" not in err
    assert not any(line.strip() in VERDICTS for line in out.splitlines())
    assert err.startswith("genbab: error: ") and all(w in err for w in words), err


def test_version_and_help_import_no_torch() -> None:
    for words in (["--version"], ["--help"], ["verify", "--help"]):
        code = (
            "import sys; from genbab.cli import main\n"
            f"try: main({words!r})\nexcept SystemExit: pass\n"
            "sys.exit(bool({'torch', 'onnx', 'onnxruntime', 'numpy', 'rich'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, timeout=30
        )
        assert done.returncode == 0, (words, done.stderr)


def test_version(genbab: Command) -> None:
    said = genbab("--version")
    assert said.code == 0 and re.fullmatch(r"\d+\.\d+\.\d+\S*\n", said.out)
    assert genbab("--name").out == "genbab\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], ["which command"]),
        (["verfy"], ["verfy", "verify"]),
        (["verify", "a"], ["SPEC"]),
        (["verify", "a", "b", "--timout", "3"], ["--timout", "did you mean --timeout"]),
        (["verify", "a", "b", "--memory", "lots", "--seed", "-1"], ["--memory lots", "--seed -1"]),
        (["verify", "a", "b", "--timeout", "0"], ["--timeout 0", "positive"]),
        (["verify", "a", "b", "--timeout", "nan"], ["--timeout nan"]),
        (["verify", "a", "b", "--device", "tpu"], ["--device tpu", "cpu"]),
        (["verify", "none.onnx", "b"], ["none.onnx", "no such file"]),
        (["verify", ".", "b"], ["directory"]),
        (["run", "none.csv"], ["none.csv"]),
        (["--nmae"], ["did you mean --name", "(see genbab --help)"]),
        (["supports"], ["which capability", "--vnnlib-versions"]),
        (["supports", "--vnnlib-version"], ["did you mean --vnnlib-versions"]),
        (["inspect", "none.onnx"], ["none.onnx"]),
    ],
)
def test_usage(genbab: Command, words: list[str], named: list[str]) -> None:
    said = genbab(*words)
    refused(said, *named)
    assert said.code == 2 and said.out == ""


def test_an_empty_file_is_refused_before_the_engine_is_loaded(genbab: Command, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    said = genbab("verify", "m.onnx", "m.onnx")
    refused(said, "m.onnx", "empty")
    assert said.seconds < 2


BAD_SPECS = {
    "unknown token": (BOX + "(assert (~~ X_0 1))", ["spec.vnnlib"]),
    "unbalanced": (BOX + "(assert (<= X_0 1)", ["spec.vnnlib"]),
    "nan": (BOX.replace("X_0 1", "X_0 nan"), ["spec.vnnlib"]),
    "inverted box": (BOX.replace("X_0 1", "X_0 -1"), ["the input set is empty: nothing to verify"]),
    "undeclared": (BOX + "(assert (<= X_7 1))", ["X_7"]),
}


@needs_engine
@pytest.mark.parametrize("name", BAD_SPECS)
def test_bad_specifications(inside: Command, tmp_path: Path, name: str) -> None:
    text, words = BAD_SPECS[name]
    (tmp_path / "spec.vnnlib").write_text(text)
    said = inside("verify", MODEL, "spec.vnnlib")
    refused(said, *words)
    assert said.code == 2


@needs_engine
def test_a_specification_for_another_number_of_inputs(inside: Command, tmp_path: Path) -> None:
    many = "".join(f"(declare-const X_{i} Real)(assert (>= X_{i} 0))(assert (<= X_{i} 1))" for i in range(97))
    (tmp_path / "spec.vnnlib").write_text(many + "(declare-const Y_0 Real)(assert (<= Y_0 0))")
    said = inside("verify", MODEL, "spec.vnnlib", "--timeout", "20")
    refused(said, "97")
    assert said.code == 2


@needs_engine
@pytest.mark.parametrize(
    "content", [b"this is no model", MODEL.read_bytes()[:500] if MODEL.exists() else b"\x08"]
)
def test_models_that_are_none(inside: Command, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    (tmp_path / "spec.vnnlib").write_text(BOX)
    said = inside("verify", "m.onnx", "spec.vnnlib", "--timeout", "20")
    refused(said, "m.onnx")
    assert said.code == 2
    refused(inside("inspect", "m.onnx"), "m.onnx")


@needs_engine
def test_no_such_device(inside: Command, tmp_path: Path) -> None:
    (tmp_path / "spec.vnnlib").write_text(BOX)
    said = inside("verify", MODEL, "spec.vnnlib", "--device", "cuda:77")
    refused(said, "no such device: cuda:77", "cpu")
    assert said.code == 2
