"""Where commands write: devices and pipes are written to, files that are read are never overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from genbab.cli import main
from genbab.cli.verify.output import Outputs
from genbab.errors import UsageError
from genbab.studies.records.store import Study
from genbab.system.files import replaceable, write_atomically

from .conftest import FAKE, ROOT, environment

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
needs_descriptors = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")


def test_only_ordinary_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert all(replaceable(tmp_path / name) for name in ("file", "link", "none"))
    for place in ("/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/none"):
        assert not replaceable(Path(place)), place
    assert not replaceable(tmp_path)


@needs_pipes
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Outputs(json=pipe).prepare([])
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    late = time.monotonic() + 10
    while not got and time.monotonic() < late:
        try:
            write_atomically(pipe, "all of it\n")
            break
        except UsageError:  # the reader is not there yet
            time.sleep(0.01)
    reader.join(10)
    assert got == ["all of it\n"] and pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


@needs_pipes
def test_a_pipe_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"cannot write .*pipe"):
        write_atomically(tmp_path / "pipe", "text")


@needs_descriptors
@pytest.mark.parametrize("mode", ["pipe", "new", "appended"])
def test_results_on_an_open_file(pair: tuple[Path, Path], tmp_path: Path, mode: str) -> None:
    """`--result /dev/fd/1`, which is what /dev/stdout stands for: the result, then the verdict, in order."""
    words = [sys.executable, str(FAKE), "falsified", "verify", *map(str, pair)]
    words += ["--result", "/dev/fd/1", "--quiet"]
    kept = tmp_path / "out.txt"
    kept.write_text("before\n")
    if mode == "pipe":
        done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, timeout=30)
        said = done.stdout.decode()
    else:
        with kept.open("ab" if mode == "appended" else "wb") as out:
            subprocess.run(words, cwd=tmp_path, env=environment(), stdout=out, timeout=30, check=True)
        said = kept.read_text()
    start = "before\n" if mode == "appended" else ""
    assert said == f"{start}sat\n((X_0 0.10000000149011612)\n(Y_0 -1))\nfalsified\n"


@needs_descriptors
def test_a_file_that_is_not_open_is_an_error() -> None:
    with pytest.raises(UsageError, match="/dev/fd/987"):
        Outputs(json=Path("/dev/fd/987")).prepare([])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, a specification and a study, in which commands run."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "onnx" / "controller.onnx", "m.onnx")
    shutil.copy(ROOT / "examples" / "vnnlib" / "controller_holds.vnnlib", "s.vnnlib")
    with Study(tmp_path / "s.db"):
        pass
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "verify m.onnx s.vnnlib --json m.onnx",
        "verify m.onnx s.vnnlib --result ./s.vnnlib",
        "verify m.onnx s.vnnlib --json a --trace a",
        "inspect m.onnx --json m.onnx",
        "inspect m.onnx s.vnnlib --json ../{here}/s.vnnlib",
        "spec convert s.vnnlib m.onnx --model m.onnx",
        "spec convert s.vnnlib s.vnnlib",
        "study s.db --csv s.db",
        "study s.db --csv a --jsonl a",
    ],
)
def test_what_is_read_is_never_overwritten(
    files: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    assert main(line.format(here=files.name).split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("genbab: error: ") and ("differ" in err or "another file" in err)
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_a_folder_is_no_trace(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot-trace", "."]) == 2
    assert "directory" in capsys.readouterr().err


def test_inspect_names_the_models_that_a_query_needs(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from .networks import TWO

    pytest.importorskip("vnnlib")
    (files / "q.vnnlib").write_text(f"{TWO}(assert (>= Y[0,0] W[0,0]))\n")
    assert main(["inspect", "m.onnx", "q.vnnlib"]) == 2
    assert "the networks f, g have a model each" in capsys.readouterr().err
