"""Names: short where folders are shared, and nothing in them invisible."""

from __future__ import annotations

from pathlib import Path

import pytest

import genbab
from genbab.reporting.facts import instances
from genbab.reporting.names import short, visible
from genbab.reporting.points import view
from genbab.reporting.summary import tables
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study

from .conftest import fill


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["/a/b/c.onnx", "/a/b/d.onnx"], ["c.onnx", "d.onnx"]),
        (["/a/b/c.onnx", "/a/e/c.onnx"], ["b/c.onnx", "e/c.onnx"]),
        (["/a/b/c.onnx"], ["c.onnx"]),
        (["/a/b", "/a/b/c"], ["b", "b/c"]),
        (["the model", "the model"], ["the model"]),
        (["a/", "a/"], ["a/"]),
        ([""], [""]),
    ],
)
def test_names_are_short_and_differ(names: list[str], wanted: list[str]) -> None:
    found = short(names)
    assert list(found.values()) == wanted and len(set(found.values())) == len(set(names))


def test_nothing_is_invisible() -> None:
    assert visible("a\nb\tc") == "a b c"
    assert visible("\u202egnp.exe\x1b[31m\x00") == r"\u202egnp.exe\x1b[31m\x00"
    assert visible("ünï 模型 🚀 <b>") == "ünï 模型 🚀 <b>"


def test_a_page_shows_them_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jinja2")
    asked = [
        (
            StudyQuestion("instance", "/long/folder/\u202egnp.onnx", "s\x1b[2J"),
            StudyAnswer("verified", 1.0, 1.0, "x"),
        ),
        (StudyQuestion("instance", "/long/folder/b.onnx", "s"), StudyAnswer("error", 1.0, None, "a\x1bb")),
    ]
    place = fill(tmp_path / "s.db", asked)
    text = genbab.report(place).read_text()
    assert "\u202e" not in text and "\x1b" not in text and r"\u202egnp.onnx" in text
    assert "<td>b.onnx</td>" in text and "<dd>/long/folder/b.onnx</dd>" in text
    from genbab.cli import main

    assert main(["study", str(place)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and r"\u202e" in said


def test_bars_of_outputs_start_at_0(tmp_path: Path) -> None:
    found = {"counterexample": {"x": [0.0, 1.0], "y": [-2.0, 1.0, 2.0], "clause": 0}, "statistics": {}}
    details = {"sample": 0, "label": 1, "eps": 0.1, "norm": "inf", "bounds": None}
    asked = StudyQuestion("robustness", "m", "s", details=details)
    with Study(
        fill(tmp_path / "s.db", [(asked, StudyAnswer("falsified", 1.0, None, "x", result=found))])
    ) as study:
        drawn = view(instances(study)[0])
    assert drawn is not None and drawn.zero == 50.0
    assert [(start, length, notes) for _, _, start, length, notes in drawn.outputs] == [
        (0.0, 50.0, ""),
        (50.0, 25.0, "label"),
        (50.0, 50.0, "largest"),
    ]
    assert drawn.said == "The network takes it for class 2, not 1."


def test_errors_do_not_lower_what_is_attacked(tmp_path: Path) -> None:
    verdicts = ("verified", "falsified", "error", "misclassified")
    details = {"eps": 0.1, "norm": "inf"}
    asked = [
        (StudyQuestion("robustness", "m", str(i), details=details), StudyAnswer(v, 1.0, None, "x"))
        for i, v in enumerate(verdicts)
    ]
    with Study(fill(tmp_path / "s.db", asked)) as study:
        (table,) = tables(instances(study))
    cells = dict(zip(table.columns, table.groups[0].cells, strict=True))
    assert (cells["attacked"], cells["certified"]) == ("50.0 %", "25.0 %")


def test_a_proof_ends_above_0(tmp_path: Path) -> None:
    """The last step of the drawing is the bound that the verdict rests on."""
    from genbab.reporting.charts import bound

    history = {"statistics": {"history": [[0.1, -2.0, 1, 0], [0.5, -1.0, 1, 2]]}}
    asked = StudyQuestion("instance", "m", "s")
    with Study(
        fill(tmp_path / "s.db", [(asked, StudyAnswer("verified", 0.6, 0.25, "x", result=history))])
    ) as study:
        drawn = bound(instances(study)[0])
    assert drawn is not None and drawn.summary.startswith("from −2 to 0.25 in 0.6")
    assert drawn.marks[-1].y < drawn.lines[0][1]
