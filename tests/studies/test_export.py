"""Study files as tables: `genbab study` and the three forms."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from genbab.cli import main
from genbab.studies.records.export import to_csv, to_jsonl, to_vnncomp
from genbab.studies.records.provenance import file_hash
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A study of three questions, two of them answered."""
    asked = [
        StudyQuestion("instance", "m,1.onnx", f"p{n}.vnnlib", "h", str(n), 5, {"seed": "1"}) for n in range(3)
    ]
    answers = (
        StudyAnswer(
            "verified",
            1.25,
            float("inf"),
            "why",
            10**6,
            0,
            {"statistics": {"history": [[0.1, float("-inf")]]}},
        ),
        StudyAnswer("falsified", 0.5, None, 'a "quoted", reason', None, 0, {"counterexample": {"x": [0.5]}}),
    )
    with Study(tmp_path / "a.db") as study:
        run = study.begin(asked)
        for answer in answers:
            claim = study.claim(run)
            assert claim is not None
            study.record(claim, answer)
        study.finish(run)
    return tmp_path / "a.db"


def test_every_form_reads_back(place: Path) -> None:
    with Study(place) as study:
        records = study.records()
    rows = list(csv.DictReader(io.StringIO(to_csv(records))))
    assert [(r["model"], r["verdict"], r["reason"]) for r in rows] == [
        ("m,1.onnx", "verified", "why"),
        ("m,1.onnx", "falsified", 'a "quoted", reason'),
        ("m,1.onnx", "", ""),
    ]
    assert json.loads(rows[0]["settings"]) == {"seed": "1"} and json.loads(rows[0]["provenance"])["genbab"]
    lines = [json.loads(line) for line in to_jsonl(records).splitlines()]
    assert [line["verdict"] for line in lines] == ["verified", "falsified", None]
    assert lines[0]["bound"] == "inf" and lines[0]["result"]["statistics"]["history"] == [[0.1, "-inf"]]
    assert list(csv.reader(io.StringIO(to_vnncomp("cat", records)))) == [
        ["cat", "m,1.onnx", "p0.vnnlib", "0", "holds", "1.25"],
        ["cat", "m,1.onnx", "p1.vnnlib", "0", "violated", "0.5"],
    ]


def test_the_command_shows_and_writes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [place.with_suffix(f".{form}") for form in ("csv", "jsonl", "vnncomp")]
    words = [word for f in files for word in (f"--{f.suffix[1:]}", str(f))]
    assert main(["study", str(place), *words]) == 0
    assert "1 falsified, 1 not run, 1 verified" in capsys.readouterr().out
    assert [len(f.read_text().splitlines()) for f in files] == [4, 3, 2]
    assert main(["study", str(place.with_name("none.db"))]) == 2
    assert not place.with_name("none.db").exists()
    place.write_text("no study")
    assert main(["study", str(place)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_hashes_cover_weights_beside_the_model(tmp_path: Path) -> None:
    model, weights = tmp_path / "m.onnx", tmp_path / "weights.bin"
    assert file_hash(model) == ""
    tensor = numpy_helper.from_array(np.ones(1000, np.float32), "w")
    value = helper.make_tensor_value_info("y", 1, [1000])
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [value], [tensor])
    onnx.save_model(
        helper.make_model(graph), model, save_as_external_data=True, location=weights.name, size_threshold=0
    )
    first = file_hash(model)
    weights.write_bytes(weights.read_bytes()[::-1])
    assert len(first) == 64 and file_hash(model) != first
    weights.unlink()
    assert file_hash(model) == ""
