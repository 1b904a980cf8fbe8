"""`genbab run --cluster` with a stand-in for the cluster: what is asked, what comes back, what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from genbab.cli import main
from genbab.cli.many import order
from genbab.cli.many.child import ChildOutcome, Children
from genbab.cluster import ClusterAddress, connection
from genbab.cluster.tasks import TRIES
from genbab.result import Result, Verdict
from genbab.studies.records.store import Study
from tests.cluster.stand_in import StandInCluster

Calls = list[list[str]]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInCluster:
    """What `--cluster` connects to."""
    (tmp_path / "node").mkdir()
    made = StandInCluster(tmp_path / "node")
    vars(made)["told"] = "ray: a stand-in"

    @contextmanager
    def connected(address: ClusterAddress) -> Iterator[Any]:
        yield made

    monkeypatch.setattr(connection, "connected", connected)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Verifications that answer at once, and write what they are asked to."""
    made: Calls = []

    def verify_apart(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
        made.append(list(words))
        missing = [word for word in words[:2] if not Path(word).is_file()]
        if missing:
            return ChildOutcome("error", 0.1, None, f"cannot read {missing[0]}", None, 2, None)
        content, facts = Path(words[0]).read_text(), {"of": words[0]}
        if "--counterexample" in words and content == "broken":
            Path(words[words.index("--counterexample") + 1]).write_text(content)
        result = Result(Verdict.UNKNOWN, 1.0, 0.5, f"read {words[0]}", statistics=facts)
        return ChildOutcome("unknown", 1.0, 0.5, result.reason, 10**8, 0, result)

    monkeypatch.setattr(order, "verify_apart", verify_apart)
    return made


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("a.onnx,p.vnnlib,20\na.onnx,q.vnnlib,20\nb.onnx,q.vnnlib,5\nnone.onnx,q.vnnlib,5\n")
    for name, text in (("a.onnx", "fine"), ("b.onnx", "broken"), ("p.vnnlib", "p"), ("q.vnnlib", "q")):
        (tmp_path / name).write_text(text)
    return path


def kept(path: Path) -> list[dict[str, Any]]:
    with Study(path.with_name("list.study.db")) as study:
        return study.records()


def test_files_travel_once_and_answers_name_those_here(
    listed: Path, cluster: StandInCluster, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed.with_name("found")
    stale = found / "0001_a_p.counterexample"
    found.mkdir()
    stale.write_text("of an earlier run")
    one_by_one = ["--workers", "1"]  # two at once may both write a file that neither has seen
    assert main(["run", str(listed), "--cluster", "ray", "--counterexamples", str(found), *one_by_one]) == 0
    assert sorted(cluster.sent) == [b"broken", b"fine", b"p", b"q"]
    assert sorted(cluster.fetched) == sorted(cluster.sent), "written once on the node"
    records = kept(listed)
    assert [r["verdict"] for r in records] == ["unknown"] * 3 + ["error"]
    for record, name in zip(records[:3], ("a.onnx", "a.onnx", "b.onnx"), strict=True):
        assert record["reason"] == f"read {listed.with_name(name)}"
        assert record["result"]["statistics"] == {"of": str(listed.with_name(name))}
    assert records[3]["reason"] == f"cannot read {listed.with_name('none.onnx')}"
    assert [p.name for p in found.iterdir()] == ["0003_b_q.counterexample"] and not stale.exists()
    on_node = [words for words in calls if str(cluster.folder) in words[0]]
    assert len(on_node) == 3 and all(words[words.index("--threads") + 1] == "1" for words in on_node)
    assert "ray: a stand-in" in capsys.readouterr().err


def test_what_is_answered_is_not_asked_again(listed: Path, cluster: StandInCluster, calls: Calls) -> None:
    assert main(["run", str(listed)]) == 0
    calls.clear()
    assert main(["run", str(listed), "--cluster", "ray:auto"]) == 0
    assert len(calls) == 1 and cluster.started == 0, "only the one that cannot be read"


def test_deaths_are_errors_in_the_end_and_doubled_nowhere(
    listed: Path, cluster: StandInCluster, calls: Calls
) -> None:
    cluster.deaths = TRIES + 1
    assert main(["run", str(listed), "--cluster", "ray", "--workers", "1"]) == 0
    records = kept(listed)
    assert [r["verdict"] for r in records] == ["error", "unknown", "unknown", "error"]
    assert "died 3 times" in records[0]["reason"] and [r["attempts"] for r in records] == [1] * 4
    assert main(["run", str(listed), "--cluster", "ray", "--workers", "3"]) == 0
    assert [r["verdict"] for r in kept(listed)] == ["unknown"] * 3 + ["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cluster", "dask"], "must be ray (one that runs"),
        (["--cluster", "ray", "--device", "cuda:1"], "Ray chooses which GPU"),
        (["--cluster", "ray", "--device", "cuda"], "no node of the cluster has 1 cores and 1 GPU"),
        (["--cluster", "ray", "--threads", "3"], "no node of the cluster has 3 cores"),
    ],
)
def test_what_makes_no_sense_is_refused(
    listed: Path,
    cluster: StandInCluster,
    calls: Calls,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    assert main(["run", str(listed), *words]) == 2
    assert told in capsys.readouterr().err and not calls
