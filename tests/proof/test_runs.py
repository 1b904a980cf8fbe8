"""`genbab run` has its proofs checked; tables, CSV and reports say what the checker said."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import genbab
from genbab.cli import main
from genbab.cli.many import order
from genbab.cli.many.child import ChildOutcome, Children
from genbab.result import Result, Verdict
from genbab.studies.records.store import Study
from tests.check.files import written
from tests.proof.conftest import HIGH, LOW


@pytest.fixture
def listed(asked: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of one question four times, answered by stand-ins: a good proof, one of another model, one that
    is damaged, and no proof; the checker is the real one.
    """
    folder = tmp_path / "list"
    folder.mkdir()
    rows = []
    for name in ("good", "other", "cut", "none"):
        shutil.copy(asked[0], folder / f"{name}.onnx")
        rows.append(f"{name}.onnx,s.vnnlib,60")
    shutil.copy(asked[1], folder / "s.vnnlib")
    (folder / "list.csv").write_text("\n".join(rows))

    def verify_apart(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
        assert words[words.index("--check-proof") + 1] == "0"
        proof, name = Path(words[words.index("--proof") + 1]), Path(words[0]).stem
        header = {"model": {"sha256": "0" * 64}} if name == "other" else {}
        whole = written(tmp_path, LOW, HIGH, header=header).read_bytes()
        if name != "none":
            proof.write_bytes(whole[:50] if name == "cut" else whole)
        facts = {"proof": "none: <b>why</b>" if name == "none" else str(proof)}
        result = Result(Verdict.VERIFIED, 1.0, 0.5, "why", statistics=facts)
        return ChildOutcome("verified", 1.0, 0.5, "why", 10**8, 0, result)

    monkeypatch.setattr(order, "verify_apart", verify_apart)
    return folder / "list.csv"


EXPECTED = {"good.onnx": "accepted", "other.onnx": "rejected", "cut.onnx": "refused", "none.onnx": ""}


def test_a_run_checks_its_proofs_and_tells(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = listed.parent
    assert main(["run", str(listed), "--proofs", str(folder / "proofs")]) == 0
    out, err = capsys.readouterr()
    rows = {line.split()[0]: line.split() for line in out.splitlines() if ".onnx" in line}
    for name, outcome in EXPECTED.items():
        assert rows[name][2] == "verified" and (rows[name][-1] == outcome or not outcome)
        assert (f"1.0 s, proof {outcome}" in err) or not outcome
    assert "proof rejected: other.onnx s.vnnlib: the proof is about another model" in " ".join(out.split())
    with Study(folder / "list.study.db") as study:
        records = study.records()
    assert [r["seconds"] for r in records] == [1.0] * 4, "the time of the search"
    told = {r["model"]: r["result"]["statistics"].get("proof_check", {}).get("outcome", "") for r in records}
    assert told == EXPECTED


def test_tables_and_pages_tell(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = listed.parent
    main(["run", str(listed), "--proofs", str(folder / "proofs")])
    main(["study", str(folder / "list.study.db"), "--csv", str(folder / "all.csv")])
    with open(folder / "all.csv", newline="") as file:
        cells = {row["model"]: row["proof"] for row in csv.DictReader(file)}
    assert cells.keys() == EXPECTED.keys()
    assert all(cells[name].startswith(outcome) for name, outcome in EXPECTED.items())
    assert cells["none.onnx"] == ""
    page = genbab.report(folder / "list.study.db", folder / "page.html").read_text()
    assert "accepted (genbab-check " in page and "rejected (genbab-check " in page
    assert "refused (genbab-check " in page and "<strong>1 of 3</strong><span>proofs accepted" in page
    assert "Rejected proofs" in page and page.count("about another model") >= 2
    assert "none: &lt;b&gt;why&lt;/b&gt;" in page


def test_nothing_is_said_of_proofs_where_there_are_none(
    asked: tuple[Path, Path],
    listed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verify_apart(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
        assert "--check-proof" not in words
        return ChildOutcome("verified", 1.0, 0.5, "why", 10**8, 0, Result(Verdict.VERIFIED, 1.0, 0.5))

    monkeypatch.setattr(order, "verify_apart", verify_apart)
    assert main(["run", str(listed)]) == 0
    page = genbab.report(listed.with_name("list.study.db"), listed.with_name("page.html")).read_text()
    assert "proof" not in capsys.readouterr().out.splitlines()[0]
    assert "proofs accepted" not in page and ">proof<" not in page and "Rejected" not in page


def test_options_that_make_no_sense(listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--check-proof", "5"], ["--check-proof", "soon", "--proofs", str(tmp_path)]):
        assert main(["run", str(listed), *words]) == 2
        assert "--check-proof" in capsys.readouterr().err
