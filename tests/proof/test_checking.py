"""What the checker says of a proof reaches the result, and nothing but an acceptance reads as one."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genbab.check import VERSION
from genbab.errors import UsageError
from genbab.proof import CheckerVerdict, checked, checking, seconds_of, unchecked
from genbab.proof.checking import EXITS, apart, understood
from genbab.result import Result, Verdict
from tests.check.files import model, specification, written
from tests.proof.conftest import HIGH, LOW


@pytest.fixture
def files(asked: tuple[Path, Path]) -> tuple[Path, Path, Path]:
    """A model, a property that holds, and a proof of it."""
    return *asked, written(asked[0].parent, LOW, HIGH)


def verified(proof: Path, **facts: Any) -> Result:
    return Result(Verdict.VERIFIED, 1.0, 0.5, "why", statistics={"proof": str(proof), **facts})


def said(files: tuple[Path, Path, Path], seconds: float = 60.0) -> tuple[Result, CheckerVerdict]:
    """The result after the check, which differs by nothing else; what it says."""
    before = verified(files[2])
    after = checked(before, files, seconds)
    check = CheckerVerdict.of(after.statistics)
    assert check is not None
    rest = {k: v for k, v in after.to_dict().items() if k != "statistics"}
    assert rest == {k: v for k, v in before.to_dict().items() if k != "statistics"}
    assert Result.from_json(after.to_json()).statistics == after.statistics
    return after, check


def test_a_proof_that_holds_is_accepted(files: tuple[Path, Path, Path]) -> None:
    after, check = said(files)
    assert (check.outcome, check.reason, check.checker) == ("accepted", "", VERSION)
    assert check.seconds > 0 and check.size == files[2].stat().st_size
    assert str(check).startswith(f"accepted (genbab-check {VERSION}, ")
    assert after.statistics["proof_check"]["outcome"] == "accepted"


def test_a_model_may_be_bytes(files: tuple[Path, Path, Path]) -> None:
    after = checked(verified(files[2]), (files[0].read_bytes(), *files[1:]), 60.0)
    assert after.statistics["proof_check"]["outcome"] == "accepted"


def tampered(folder: Path) -> None:
    written(folder, LOW, HIGH, header={"model": {"sha256": "0" * 64}})


def smaller(folder: Path) -> None:
    written(folder, LOW, [1.0, 0.5])


def stronger(folder: Path) -> None:
    (folder / "s.vnnlib").write_text(specification(LOW, HIGH, 1, "(assert (<= Y_0 1000.0))"))
    written(folder, LOW, HIGH)


def unknown(folder: Path) -> None:
    import onnx

    (folder / "m.onnx").write_bytes(model([onnx.helper.make_node("Det", ["x"], ["y"])], {}, (2, 2), ()))
    written(folder, LOW, HIGH)


def damaged(folder: Path) -> None:
    (folder / "proof").write_bytes((folder / "proof").read_bytes()[:99])


@pytest.mark.parametrize(
    ("change", "outcome", "reason"),
    [
        (tampered, "rejected", "another model"),
        (smaller, "rejected", "no box"),
        (stronger, "rejected", "node 0"),
        (unknown, "refused", "Det"),
        (damaged, "refused", "zip"),
    ],
)
def test_anything_else_is_not(
    files: tuple[Path, Path, Path], change: Callable[[Path], None], outcome: str, reason: str
) -> None:
    change(files[2].parent)
    after, check = said(files)
    assert after.verdict == "verified" and check.outcome == outcome and reason in check.reason
    assert str(check).startswith(outcome) and reason in str(check)


def test_nobody_is_asked_without_time_or_proof(files: tuple[Path, Path, Path]) -> None:
    assert str(said(files, 0.0)[1]).startswith("not checked (")
    for other in (
        Result(Verdict.UNKNOWN, 1.0, statistics={"proof": str(files[2])}),
        verified(Path("none: 3 clauses were refuted in rational arithmetic")),
        Result(Verdict.VERIFIED, 1.0, 0.5),
    ):
        assert checked(other, files, 60.0) is other and unchecked(other, files[2], "why") is other
    files[2].unlink()
    other = verified(files[2])
    assert checked(other, files, 60.0) is other


def test_only_words_and_a_code_that_agree_are_an_acceptance() -> None:
    outcomes = [*EXITS, "interrupted", "certainly", 0, None]
    texts = [json.dumps({"outcome": o, "reason": "r", "checker": "1.0"}) for o in outcomes]
    texts += ["", "accepted: 1 boxes", "[]", "{", '"accepted"', "{}", texts[0] * 2, '{"outcome": "accepted"}']
    for text, code in itertools.product(texts, (-9, 0, 1, 2, 3, 130)):
        check = understood((code, text, "trouble"), 1.0, 60.0)
        assert (check.outcome == "accepted") == (code == 0 and text == texts[0])
        assert (check.outcome == "rejected") == (code == 1 and text == texts[1])
        assert check.outcome == "accepted" or check.reason


def test_a_proof_about_other_numbers_is_no_acceptance(files: tuple[Path, Path, Path]) -> None:
    for about in ("real", "float32"):
        written(files[2].parent, LOW, HIGH, header={"arithmetic": about})
        for asked in ("real", "float32"):
            result = checked(Result(**{**vars(verified(files[2])), "arithmetic": asked}), files, 60.0)
            check = CheckerVerdict.of(result.statistics)
            assert check is not None and (check.outcome == "accepted") == (about == asked)
            assert about == asked or about in check.reason


def test_no_other_checker_is_started_than_that_of_this_package(
    files: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that this is run in may hold another one, or modules of its names."""
    other = tmp_path / "here"
    (other / "genbab" / "check").mkdir(parents=True)
    words = {"outcome": "accepted", "reason": "", "checker": "0"}
    for place in (other / "genbab", other / "genbab" / "check"):
        (place / "__init__.py").touch()
    (other / "genbab" / "check" / "__main__.py").write_text(f"print({json.dumps(json.dumps(words))})")
    tampered(files[2].parent)
    monkeypatch.chdir(other)
    assert said(files)[1].outcome == "rejected"


def test_a_checker_that_crashes_is_reported_as_such(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "signal 9",
        "import sys; sys.exit('no such thing')": "no such thing",
        "print('accepted')": "exit code 0",
        "import time; time.sleep(60)": "more than 0.1 s",
    }
    monkeypatch.setattr(checking, "GRACE", 0.5)
    for code, reason in codes.items():
        monkeypatch.setattr(checking, "command", lambda *_, code=code: [sys.executable, "-c", code])
        check = said(files, 0.1 if "sleep" in code else 60.0)[1]
        assert check.outcome == "not checked" and reason in check.reason
    monkeypatch.setattr(checking, "command", lambda *_: ["/no/such/program"])
    check = said(files)[1]
    assert check.outcome == "not checked" and "cannot be started" in check.reason


def test_what_results_hold_may_be_anything() -> None:
    values: list[object] = [None, "accepted", [], {}, {"outcome": "perfect"}, {"outcome": ["accepted"]}]
    for value in values:
        assert CheckerVerdict.of({"proof_check": value}) is None
    odd = {"outcome": "rejected", "reason": 3, "checker": None, "seconds": "nan", "bytes": 10**400}
    assert CheckerVerdict.of({"proof_check": odd}) == CheckerVerdict("rejected", "3", "None", 0.0, 0)
    assert CheckerVerdict.of({"proof_check": {**odd, "seconds": 10**400}}) is not None


def test_how_long_a_check_may_take() -> None:
    assert seconds_of(None, 20.0) == 20.0 and seconds_of(None, None) == 3600.0
    assert seconds_of("2m", 20.0) == 120.0 and seconds_of("0", None) == seconds_of(0.0, 5.0) == 0.0
    assert seconds_of(None, 1e300) == seconds_of(1e300, None) == 1e6, "no timer takes more"
    for wrong in ("soon", "-1", "none", "", -1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="--check-proof"):
            seconds_of(wrong, 20.0)


def test_a_program_is_ended_on_interruption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever ends the wait ends the program."""
    place = tmp_path / "pid"
    code = (
        f"import os, time, pathlib; pathlib.Path({str(place)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )

    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        with pytest.raises(KeyboardInterrupt):
            apart([sys.executable, "-c", code], 60.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)
    began = time.monotonic()
    assert apart([sys.executable, "-c", code], 0.5)[0] == -signal.SIGKILL
    assert time.monotonic() - began < 10
    shutil.rmtree(tmp_path)
