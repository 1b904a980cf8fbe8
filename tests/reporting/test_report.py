"""A report says everything the study has, escapes it, and asks nothing of anybody."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import genbab
from genbab.cli import main
from genbab.errors import UsageError
from genbab.reporting.facts import instances
from genbab.reporting.page import TEMPLATES
from genbab.studies.records.questions import StudyAnswer
from genbab.studies.records.store import Study
from genbab.studies.work.tasks import prediction

from .conftest import EVIL, fill, sample


class Page(HTMLParser):
    """Tags, texts and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attrs)
        assert not [name for name in known if name.startswith("on") or name == "style"]
        self.links += [
            str(known[name]) for name in ("href", "src", "action", "data", "poster") if name in known
        ]
        self.ids += [str(known["id"])] if "id" in known else []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(place: Path) -> Page:
    return Page(place.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(studies: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Page:
    place = tmp_path_factory.mktemp("pages") / "page.html"
    return read(genbab.report(studies["main"], place, against=studies["other"], title=EVIL))


def test_names_are_texts_and_nothing_else(page: Page) -> None:
    assert page.tags.count("script") == 1 and page.tags.count("style") == 1
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert EVIL in page.texts
    assert page.texts.count(EVIL) >= 7, "title, heading, table, pages"


def test_links_lead_somewhere_and_names_are_unique(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_everything_asked_is_told(page: Page, studies: dict[str, Path]) -> None:
    text = " ".join(page.texts)
    with Study(studies["main"]) as study:
        known = instances(study)
    assert len(known) == 18
    for one in known:
        assert one.spec in text and one.reason in text and one.anchor in page.ids
    for words in (
        "Certified accuracy",
        "Where the bound is lost",
        "/3/Tanh",
        "Counterexample",
        "Bound against time",
    ):
        assert words in text
    assert "50 %" in text, "6 of 1 + 2 + 3 parts"


def test_nothing_points_outside(studies: dict[str, Path], tmp_path: Path) -> None:
    text = genbab.report(studies["main"], tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:https?:|url\(|@import|fetch\(|XMLHttp)", text)
    assert "default-src &#39;none&#39;" in text and "unsafe" not in text
    assert genbab.report(studies["main"], tmp_path / "b.html").read_text(encoding="utf-8") == text


def test_other_kinds_and_broken_facts_are_shown_as_far_as_known(
    studies: dict[str, Path], tmp_path: Path
) -> None:
    mixed = read(genbab.report(studies["mixed"], tmp_path / "m.html", against=studies["empty"]))
    text = " ".join(mixed.texts)
    for words in (
        "Certified radius",
        "Ranges of outputs",
        "Radii",
        "not run",
        "−∞",
        "no instance of the one",
    ):
        assert words.lower() in text.lower()
    assert "Nothing was asked" in " ".join(read(genbab.report(studies["empty"], tmp_path / "e.html")).texts)


def test_answers_of_earlier_forms_are_shown(tmp_path: Path) -> None:
    question, _ = sample(0, "unknown", 1.0)
    layers = [{"node": 3, "function": "tanh", "neurons": 8, "mean": 0.5, "widest": 0.75}]
    old = StudyAnswer("unknown", 1.0, -0.5, "why", result={"statistics": {"layers": layers}})
    page = read(genbab.report(fill(tmp_path / "a.db", [(question, old)]), tmp_path / "a.html"))
    assert "node 3" in page.texts and "0.75" in page.texts and "share of the loss" not in page.texts


def test_a_real_study_draws_what_was_broken(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((2, 64))
    model = Path(__file__).resolve().parents[2] / "examples/onnx/digits_tanh.onnx"
    says = [prediction(genbab.load(model), one)[0] for one in x]
    labels = [says[0], (says[1] + 1) % 10]
    found = genbab.certified_accuracy(model, x, labels, eps=0.4, timeout=10, study=tmp_path / "a.db")
    assert [s.status for s in found.samples] == ["attacked", "misclassified"]
    with Study(tmp_path / "a.db") as study:
        broken, wrong = instances(study)
    assert broken.point is not None and broken.point.start is not None and wrong.point is not None
    assert np.array_equal(broken.point.start, x[0]) and np.array_equal(wrong.point.x, x[1])
    assert broken.point.lower is not None and broken.point.upper is not None
    assert (broken.point.lower <= broken.point.x + 1e-6).all() and (
        broken.point.x <= broken.point.upper + 1e-6
    ).all()
    text = genbab.report(tmp_path / "a.db").read_text(encoding="utf-8")
    assert text.count("data:image/png") == 4, (
        "original, changed, change; and the sample that is wrong as it is"
    )


def test_contradictions_stand_first(tmp_path: Path) -> None:
    question, answer = sample(0, "verified", 1.0)
    ours = fill(tmp_path / "a.db", [(question, answer)])
    theirs = fill(tmp_path / "b.db", [(question, StudyAnswer("falsified", 1.0))])
    agreed = fill(tmp_path / "c.db", [(question, StudyAnswer("verified", 2.0, 1.0))])
    assert "Contradictions" in read(genbab.report(ours, tmp_path / "x.html", against=theirs)).texts
    assert "Contradictions" not in read(genbab.report(ours, tmp_path / "y.html", against=agreed)).texts


def test_the_command(studies: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, main_study = str(tmp_path / "r.html"), str(studies["main"])
    words = [
        "report",
        main_study,
        "--out",
        out,
        "--against",
        str(studies["other"]),
        "--shape",
        "8x8",
        "--title",
        "T",
    ]
    assert main(words) == 0 and out in capsys.readouterr().out
    texts = read(Path(out)).texts
    assert "T" in texts and not [t for t in texts if "guess" in t]
    assert main(["report", main_study]) == 0 and studies["main"].with_suffix(".html").is_file()
    capsys.readouterr()
    for wrong, named in (
        (["none.db"], "none.db"),
        ([main_study, "--against", "none.db"], "none.db"),
        ([main_study, "--out", main_study], "over the study"),
        ([main_study, "--out", str(tmp_path / "no" / "r.html")], "r.html"),
        ([main_study, "--out", out, "--shape", "8 by 8"], "--shape"),
        ([out, "--out", str(tmp_path / "s.html")], "not a study"),
    ):
        assert main(["report", *wrong]) == 2
        said = capsys.readouterr().err
        assert named in said and "Traceback" not in said
    assert Study(studies["main"]).records(), "the study is whole"


def test_jinja2_is_asked_for_by_name(
    studies: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"genbab\[report\]"):
        genbab.report(studies["empty"], tmp_path / "e.html")
    with pytest.raises(UsageError, match="path="):
        genbab.report(Study())
    with pytest.raises(UsageError, match="shape"):
        genbab.report(studies["empty"], tmp_path / "e.html", shape=(8,))


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_can_be_read() -> None:
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})\b", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]
    assert len(themes) == 3, "light, dark, print"
    for theme in themes[:2]:
        grounds = [theme[name] for name in ("page", "card", "soft")]
        inks = [
            theme[n] for n in ("ink", "quiet", "link", "verified", "falsified", "misclassified", "unknown")
        ]
        inks += [theme[n] for n in ("timeout", "error", "open")]
        for ink in inks:
            for ground in grounds:
                high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
