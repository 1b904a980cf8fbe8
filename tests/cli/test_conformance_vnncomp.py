"""The three scripts of benchmarks/vnncomp, run as the competition runs them, on shipped examples."""

from __future__ import annotations

import gzip
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genbab.cli import main
from genbab.specs import write_vnnlib
from tests.soundness.graphs import to_onnx
from tests.test_driver import below, hard

from .conftest import ROOT, Said, environment
from .networks import MIXED, TWO, mixed_holds, outputs_of, parsed, save

SCRIPTS = ROOT / "benchmarks" / "vnncomp"
MODEL = ROOT / "examples" / "onnx" / "controller.onnx"
HOLDS = ROOT / "examples" / "vnnlib" / "controller_holds.vnnlib"
VIOLATED = ROOT / "examples" / "vnnlib" / "controller_violated.vnnlib"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")


@pytest.fixture
def now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process had just begun, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genbab.cli.verify.verify.process_start", time.monotonic)


def command(script: str, *words: object) -> list[str]:
    return ["bash", str(SCRIPTS / script), *map(str, words)]


def surroundings() -> dict[str, str]:
    return {**environment(), "GENBAB_PYTHON": sys.executable}


def told(cwd: Path, script: str, *words: object) -> Said:
    began = time.monotonic()
    done = subprocess.run(
        command(script, *words), cwd=cwd, env=surroundings(), capture_output=True, text=True, timeout=60
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def test_install_and_prepare(tmp_path: Path) -> None:
    assert told(tmp_path, "install_tool.sh", "v1").code == 0
    missing = told(tmp_path, "prepare_instance.sh", "v1", "any", "none.onnx", HOLDS)
    assert missing.code == 0 and "none.onnx" in missing.err, "one broken instance must not skip a category"
    nowhere = {**surroundings(), "GENBAB_PYTHON": str(tmp_path / "python")}
    for script, words in (("install_tool.sh", ["v1"]), ("prepare_instance.sh", ["v1", "any", MODEL, HOLDS])):
        done = subprocess.run(command(script, *words), env=nowhere, capture_output=True, timeout=30)
        assert done.returncode != 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("install_tool.sh", []),
        ("install_tool.sh", ["v2"]),
        ("prepare_instance.sh", ["v1", "any", MODEL]),
        ("run_instance.sh", ["v2", "any", MODEL, HOLDS, "out.txt", "20"]),
        ("run_instance.sh", ["v1", "any", MODEL, HOLDS, "out.txt"]),
    ],
)
def test_wrong_arguments(tmp_path: Path, script: str, words: list[object]) -> None:
    said = told(tmp_path, script, *words)
    assert said.code == 2 and f"usage: {script} v1" in said.err and not list(tmp_path.iterdir())


def test_a_property_that_holds(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("no_result_in_file\n")
    said = told(tmp_path, "run_instance.sh", "v1", "any", MODEL, HOLDS, "out.txt", "40")
    assert (said.code, (tmp_path / "out.txt").read_text()) == (0, "unsat\n")


def test_a_property_that_does_not_from_compressed_files(tmp_path: Path) -> None:
    """Names that look like options, with spaces in them, are names."""
    for path, name in ((MODEL, "-a model.onnx"), (VIOLATED, "-b.vnnlib")):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    named = ("v1", "any", "-a model.onnx", "-b.vnnlib.gz", "-out.txt", "40.0")
    assert told(tmp_path, "run_instance.sh", *named).code == 0
    first, witness = (tmp_path / "-out.txt").read_text().split("\n", 1)
    assert first == "sat" and witness.startswith("((X_0 ") and witness.endswith("))\n")
    (tmp_path / "w").write_text(witness)
    words = [sys.executable, str(ROOT / "benchmarks" / "replay.py"), str(MODEL), str(VIOLATED), "w"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, timeout=30)
    assert done.returncode == 0, done.stdout


def decided(*words: object) -> str:
    """What run_instance.sh's own program writes for ONNX, VNNLIB, in this process."""
    asked = runpy.run_path(str(SCRIPTS / "instance.py"))["words"]
    assert main(asked(*map(str, words), "out.txt", "40")) == 0
    return Path("out.txt").read_text()


def test_a_single_network_of_version_2(tmp_path: Path, now: None) -> None:
    save(tmp_path / "f.onnx", 0)
    one = TWO.split("(declare-network g")[0] + "".join(TWO.splitlines(True)[3:5])
    (tmp_path / "q.vnnlib").write_text(f"{one}(assert (<= Y[0,0] 100.0))\n".replace("real", "float32"))
    first, *rest = decided("f.onnx", "q.vnnlib").splitlines()
    found = parsed(rest)
    assert first == "sat" and {n: k for n, (k, _) in found.items()} == {"X": "float32", "Y": "float32"}
    assert outputs_of(tmp_path / "f.onnx", found["X"][1])[0] == found["Y"][1]


def test_several_networks(tmp_path: Path, now: None) -> None:
    models = {
        "f": save(tmp_path / "f.onnx", 0),
        "h": save(tmp_path / "h.onnx", 1, inputs=("p", "q"), outputs=("z", "v")),
    }
    (tmp_path / "q.vnnlib").write_text(MIXED.replace("real", "float32"))
    field = "[('f', 'f.onnx'), ('f2', 'f.onnx'), ('h', 'h.onnx')]"
    first, *rest = decided(field, "q.vnnlib").splitlines()
    assert first == "sat" and mixed_holds(models, {name: value for name, (_, value) in parsed(rest).items()})


@pytest.mark.parametrize(
    ("onnx", "timeout", "named"), [("none.onnx", "20", "none.onnx"), (MODEL, "soon", "'soon'")]
)
def test_failures_are_errors_in_the_results(tmp_path: Path, onnx: object, timeout: str, named: str) -> None:
    said = told(tmp_path, "run_instance.sh", "v1", "any", onnx, HOLDS, "out.txt", timeout)
    assert (said.code, (tmp_path / "out.txt").read_text()) == (0, "error\n")
    assert named in said.err and "Traceback" not in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("results", ["", ".", "m.onnx", "./m.onnx", "link", "q.vnnlib"])
def test_results_take_the_place_of_nothing_else(tmp_path: Path, results: str) -> None:
    for name in ("m.onnx", "q.vnnlib", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("other")
    said = told(tmp_path, "run_instance.sh", "v1", "any", "m.onnx", "q.vnnlib", results, "20")
    assert said.code == 2 and "RESULTS must be a file of its own" in said.err
    assert {p.name for p in tmp_path.iterdir()} == {"m.onnx", "q.vnnlib", "other", "link"}
    assert all((tmp_path / name).read_text() == name for name in ("m.onnx", "q.vnnlib", "other"))


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    said = told(tmp_path, "run_instance.sh", "v1", "any", MODEL, HOLDS, "no/out.txt", "20")
    assert said.code != 0 and "no/out.txt" in said.err


@pytest.fixture
def long(tmp_path: Path) -> tuple[Path, Path]:
    """An instance that takes long."""
    (tmp_path / "m.onnx").write_bytes(to_onnx(hard().network))
    write_vnnlib(below(-13.0, (-0.04,) * 8, (0.04,) * 8), tmp_path / "s.vnnlib")
    return tmp_path / "m.onnx", tmp_path / "s.vnnlib"


def test_the_time_limit(tmp_path: Path, long: tuple[Path, Path]) -> None:
    said = told(tmp_path, "run_instance.sh", "v1", "any", *long, "out.txt", "2.5")
    assert (said.code, (tmp_path / "out.txt").read_text()) == (0, "timeout\n")


def children(process: int) -> list[int]:
    """The processes that this one started, once they are what they should be."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(n) for n in found if b"instance.py" in _words(int(n))]


def _words(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("number", "after"),
    [(signal.SIGTERM, 0.0), (signal.SIGTERM, 2.0), (signal.SIGINT, 1.0), (signal.SIGKILL, 1.0)],
)
def test_signals(tmp_path: Path, long: tuple[Path, Path], number: signal.Signals, after: float) -> None:
    """A result, unless the script was killed; and never anything that goes on running."""
    words = command("run_instance.sh", "v1", "any", *long, "out.txt", "100")
    with subprocess.Popen(
        words, cwd=tmp_path, env=surroundings(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        late, started = time.monotonic() + 20, list[int]()
        while time.monotonic() < late and not started:
            started = children(process.pid)
        time.sleep(after)
        os.kill(process.pid, number)
        process.wait(20)
    if number is not signal.SIGKILL:
        assert (process.returncode, (tmp_path / "out.txt").read_text()) == (0, "unknown\n")
    late = time.monotonic() + 10
    while time.monotonic() < late and any(Path(f"/proc/{child}").exists() for child in started):
        time.sleep(0.02)
    assert started and not any(Path(f"/proc/{child}").exists() for child in started)
    assert {p.name for p in tmp_path.iterdir()} <= {"m.onnx", "s.vnnlib", "out.txt"}
