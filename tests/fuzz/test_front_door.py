"""Hostile files end in a message, never in a traceback, a crash, a wrong verdict or somebody else's code."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from genbab import cli
from genbab.cli import main
from genbab.cli.many.instances import read_instances
from genbab.errors import ModelError, SpecError, UsageError
from genbab.reader import load_onnx
from genbab.specs import parse_vnnlib, read_vnnlib
from tests.fuzz import files, texts
from tests.fuzz.bodies import claims, doubling, model, network
from tests.fuzz.front import Case, make
from tests.fuzz.judge import run

ROOT = Path(__file__).resolve().parents[2]
SEED = 20240
QUICK = ("spec", "list", "data", "study", "options", "pattern", "mined")


def _cases(tmp_path: Path, numbers: range, kinds: tuple[str, ...]) -> list[str]:
    """What is wrong with these cases: one line each."""
    wrong = []
    for number in numbers:
        folder = tmp_path / str(number) / "case"
        folder.mkdir(parents=True)
        found = run(make(SEED, number, folder, kinds), folder)
        if found.wrong:
            wrong.append(f"case {number}: {found.wrong}\n{found.detail}")
    return wrong


@pytest.mark.parametrize("start", range(0, 700, 100))
def test_texts_lists_data_and_studies(start: int, tmp_path: Path) -> None:
    assert not _cases(tmp_path, range(start, start + 100), QUICK)


@pytest.mark.parametrize("start", range(1000, 1280, 70))
def test_models(start: int, tmp_path: Path) -> None:
    assert not _cases(tmp_path, range(start, start + 70), ("model",))


def test_whole_runs(tmp_path: Path) -> None:
    assert not _cases(tmp_path, range(2000, 2020), ("verify", "formula"))


@pytest.mark.parametrize("name", sorted(set(claims()) - {"doubling", "nested"}))
def test_models_that_claim_too_much_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        load_onnx(claims()[name])


def test_a_model_whose_output_is_empty_is_refused() -> None:
    nodes = [helper.make_node("Slice", ["x", "none", "none"], ["y"])]
    with pytest.raises(ModelError, match="no numbers"):
        load_onnx(model(nodes, {"x": [1, 3]}, {"none": np.zeros(1, np.int64)}))


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "MaxPool"])
def test_windows_that_go_backwards_are_refused(kind: str) -> None:
    more: dict[str, Any] = {"kernel_shape": [2]} if kind == "MaxPool" else {}
    node = helper.make_node(kind, ["x", "w"][: 1 if more else 2], ["y"], strides=[-2], **more)
    weights = {} if more else {"w": np.ones((1, 1, 2), np.float32)}
    with pytest.raises(ModelError, match="strides"):
        load_onnx(model([node], {"x": [1, 1, 4]}, weights))


def test_the_size_of_tensors_is_limited_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbab.reader.tensors.values.MAX_NUMBERS", 1 << 10)
    with pytest.raises(ModelError, match="Concat"):
        load_onnx(doubling(40))


@pytest.mark.parametrize("number", range(40))
def test_texts_that_claim_too_much_end(number: int) -> None:
    try:
        parse_vnnlib(texts.claims(texts.Random(number)))
    except SpecError as error:
        assert len(str(error)) < 20_000


def test_texts_nested_too_deeply_do_not_reach_a_parser_that_recurses() -> None:
    deep = "(and " * 300_000 + "(<= Y[0] 0.0)" + ")" * 300_000
    head = (
        "(vnnlib-version <2.0>)\n(declare-network f (declare-input X real [1]) (declare-output Y real [1]))\n"
    )
    with pytest.raises(SpecError, match="nested too deeply"):
        parse_vnnlib(f"{head}(assert {deep})")
    brackets = "; " + "(" * 5000 + "\n"
    box = "(assert (>= X[0] 0.0))(assert (<= X[0] 1.0))(assert (<= Y[0] 0.0))"
    assert parse_vnnlib(head + brackets + box).input_size == 1  # those of comments do not count


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbab.reader.onnx.files.MAX_BYTES", 1 << 20)
    monkeypatch.setattr("genbab.specs.reader.MAX_BYTES", 1 << 20)
    place = tmp_path / "bomb.gz"
    place.write_bytes(gzip.compress(b" " * (1 << 19)) * 5)
    with pytest.raises(ModelError, match="more than 1048576 bytes"):
        load_onnx(place)
    with pytest.raises(SpecError, match="longer than 1048576 bytes"):
        read_vnnlib(place)
    with pytest.raises(ModelError, match="not a file"):
        load_onnx(Path("/dev/zero"))


@pytest.mark.parametrize("shape", ["(1099511627776,)", "(4294967296, 4294967296)", "(3000000000,)"])
def test_arrays_take_no_memory_for_what_their_header_claims(shape: str, tmp_path: Path) -> None:
    (tmp_path / "d.npy").write_bytes(files.claimed_array(shape, "<f8"))
    (tmp_path / "l.csv").write_text("1\n")
    words = [str(tmp_path / "d.npy"), "--labels", str(tmp_path / "l.csv"), "--out", str(tmp_path / "o")]
    case = Case(
        0, "data", ["spec", "from-csv", *words, "--epsilon", "0.1", "--classes", "2"], tmp_path / "trap"
    )
    found = run(case, tmp_path)
    assert found.code == 2 and not found.wrong


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "d.npy").write_bytes(files.pickled_array(trap))
    (tmp_path / "l.csv").write_text("1\n")
    words = [
        "--labels",
        str(tmp_path / "l.csv"),
        "--out",
        str(tmp_path / "o"),
        "--epsilon",
        "1",
        "--classes",
        "2",
    ]
    assert main(["spec", "from-csv", str(tmp_path / "d.npy"), *words]) == 2
    np.load(tmp_path / "d.npy", allow_pickle=True)
    assert trap.exists()  # it would have been noticed


MESSAGES = ("genbab/driver/crew/local.py", "genbab/remote/node.py", "genbab/remote/team.py")
"""What passes messages between processes of one run, which one of them has started; no file is read so."""


def test_the_sources_never_unpickle() -> None:
    for place in [
        p for name in ("genbab", "lut", "kernels", "specs") for p in sorted((ROOT / name).rglob("*.py"))
    ]:
        text = place.read_text()
        assert place.relative_to(ROOT).as_posix() in MESSAGES or not re.search(
            r"^\s*(import|from)\s+(pickle|cPickle|dill|joblib|shelve|marshal)\b", text, re.M
        ), place
        for call in re.finditer(r"\b(np|numpy|torch)\.load\(([^()]|\([^()]*\))*\)", text):
            wanted = "weights_only=True" if call[1] == "torch" else "allow_pickle=False"
            assert wanted in call[0], f"{place}: {call[0]}"
        assert "allow_pickle=True" not in text and "weights_only=False" not in text, place


def _outside(location: str, **facts: str) -> ModelProto:
    """A network whose first weights lie in a file."""
    made = network("Relu")
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for name, value in {"location": location, **facts}.items():
        tensor.external_data.add(key=name, value=value)
    return made


PLACES = [
    "../secret.bin",
    "/etc/passwd",
    "a/../../secret.bin",
    "link.bin",
    "linked/secret.bin",
    "..",
    "w\0.bin",
]


@pytest.mark.parametrize("location", PLACES)
def test_external_data_lie_in_the_models_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    data = np.ones(15, np.float32).tobytes()
    (tmp_path / "secret.bin").write_bytes(data)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "m.onnx").write_bytes(_outside(location).SerializeToString())
    with pytest.raises(ModelError, match="outside the model's folder"):
        load_onnx(folder / "m.onnx")
    (folder / "own.bin").write_bytes(data)
    (folder / "m.onnx").write_bytes(_outside("own.bin").SerializeToString())
    assert load_onnx(folder / "m.onnx").network.input_size == 3


@pytest.mark.parametrize(
    "facts", [{"offset": "-4"}, {"offset": "1e3"}, {"length": str(1 << 40)}, {"offset": str(1 << 62)}]
)
def test_external_data_have_the_size_of_their_tensor(facts: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 20)
    (tmp_path / "m.onnx").write_bytes(_outside("w.bin", **facts).SerializeToString())
    with pytest.raises(ModelError):
        load_onnx(tmp_path / "m.onnx")


def test_paths_of_a_list_may_lead_anywhere_but_must_be_names(tmp_path: Path) -> None:
    place = tmp_path / "list.csv"
    place.write_text("../m.onnx,/data/s.vnnlib,5\n")
    (found,) = read_instances(place)
    assert (found.model_path, found.spec_path) == (tmp_path / "../m.onnx", Path("/data/s.vnnlib"))
    place.write_text(f"m\0.onnx,s.vnnlib,5\n{'x' * 5000},s.vnnlib,5\nm.onnx,s.vnnlib,never\n")
    with pytest.raises(UsageError, match="line 1: .*line 2: .*line 3: "):
        read_instances(place)


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("raise ValueError('planted')", "a traceback"),
        ("code = 4", "exit code 4"),
        ("code = 2", "without a message"),
        ("print('verified')", "verified, but violated"),
        ("print('unknown'); code = 2; err('why')", "a verdict"),
        ("trap()", "unpickled"),
    ],
)
def test_the_judge_sees_planted_faults(
    fault: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    case = Case(
        0, "verify", ["verify", str(tmp_path / "m.onnx"), str(tmp_path / "s.vnnlib")], tmp_path / "trap"
    )

    def faulty(_: list[str]) -> int:
        known: dict[str, Any] = {
            "code": 0,
            "trap": case.trap.touch,
            "err": lambda text: sys.stderr.write(text),
        }
        exec(fault, known)
        return int(known["code"])

    (tmp_path / "m.onnx").write_bytes(network("Relu").SerializeToString())
    box = "".join(f"(declare-const X_{i} Real)(assert (<= X_{i} 1))(assert (>= X_{i} 0))" for i in range(3))
    outputs = "(declare-const Y_0 Real)(declare-const Y_1 Real)(assert (<= Y_0 1e9))"
    (tmp_path / "s.vnnlib").write_text(box + outputs)
    monkeypatch.setattr(cli, "main", faulty)
    assert wanted in run(case, tmp_path).wrong
