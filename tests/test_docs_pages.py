"""What the pages show runs and says what they print: Python, commands, files; links lead somewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

import genbab
from genbab.cli import main
from tests.registered import forgotten  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
NUMBER = re.compile(r"-?\b\d+(\.\d+)?(e[+-]?\d+)?\b%?")
PARTS = ("genbab", "kernels", "lut", "specs", "tests", "benchmarks", "examples", "docs")
NAMED_FILE = re.compile(r"`([\w/]+/\w+\.py)`")
FILES = [f"/{path.relative_to(ROOT).as_posix()}" for part in PARTS for path in (ROOT / part).rglob("*.py")]
PAST = {"search-archive.md"}  # pages that tell what was, with the names of then
ELSEWHERE = ("keras", "jax")  # what pages show that these tests do not install
LARGEST_DRAWING = 60_000  # bytes
PAGES = sorted(DOCS.rglob("*.md"))
RUN = ["../README.md"] + sorted(
    str(page.relative_to(DOCS))
    for folder in ("tutorials", "howto", "concepts")
    for page in (DOCS / folder).iterdir()
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the name of the file it is, its text."""

    kind: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall((DOCS / page).read_text())]


def agree(expected: str, said: str) -> bool:
    """Whether the lines are those expected, whatever the numbers; `...` stands for anything."""
    pattern = ""
    for line in expected.strip().splitlines():
        if line.strip() == "...":
            pattern += r"(.*\n)*?"
            continue
        parts = [re.escape(NUMBER.sub("#", part)) for part in re.split(r"\.\.\.", " ".join(line.split()))]
        pattern += ".*".join(parts) + r"\n"
    plain = "".join(" ".join(NUMBER.sub("#", line).split()) + "\n" for line in said.strip().splitlines())
    return re.fullmatch(pattern, plain) is not None


def test_outputs_are_compared_but_for_their_numbers() -> None:
    assert agree("verified\n  bound 0.1\n...", "verified\n  bound    -2e-5\n  time 1 s\n")
    assert not agree("verified\n  bound 0.1", "verified\n  bound    0.1\n  time 1 s\n")
    assert not agree("verified", "falsified") and agree("x ... y", "x 1 2 y")


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("page", RUN)
def test_page_runs_as_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbab.cli.verify.verify.process_start", time.monotonic)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    said: str | None = None
    for block in blocks(page):
        if "sklearn" in block.text:
            pytest.importorskip("sklearn")
        if any(f"import {one}" in block.text and importlib.util.find_spec(one) is None for one in ELSEWHERE):
            continue
        if block.title:
            Path(block.title).write_text(block.text)
        elif block.kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, page, "exec"), names)
            said = out.getvalue()
            continue
        elif block.kind == "console":
            commands(block.text)
        elif block.kind == "text" and said is not None:
            assert agree(block.text, said), f"{page} prints\n{block.text}but now it is\n{said}"
        said = None


def commands(text: str) -> None:
    """Run each `$ genbab ...` of a block and compare what it says with what follows it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        program, *words = shlex.split(command)
        assert program == "genbab", command
        said = in_a_process(words) if words[0] == "run" else here(words)
        assert agree(expected, said), f"$ {command}\nsays\n{said}"


def here(words: list[str]) -> str:
    """What a command says on stdout, in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        main(words)
    return out.getvalue()


def in_a_process(words: list[str]) -> str:
    """What a command says on stdout that starts others and outlives them."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    told = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "genbab", *words], capture_output=True, text=True, timeout=100, env=told
    )
    return done.stdout


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", head.replace("`", "")).strip().lower() for head in heads)
    return {re.sub(r"\s", "-", text) for text in plain}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    wrong = []
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor[1:] not in anchors(path)):
            wrong.append(target + anchor)
    assert not wrong


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """By the path from the root, or the end of it: `lines/envelope.py`."""
    missing = [
        name
        for name in NAMED_FILE.findall(page.read_text())
        if not any(p.endswith(f"/{name}") for p in FILES)
    ]
    assert page.name in PAST or not missing


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_every_public_name_is_in_the_reference() -> None:
    named = set(re.findall(r"^::: genbab\.(\w+)$", (DOCS / "api.md").read_text(), re.MULTILINE))
    assert named == {name for name in genbab.__all__ if name != "__version__"} | {"nap", "specs"}


@pytest.mark.parametrize("script", ["make_commands.py", "make_layout.py", "make_operators.py", "make_zoo.py"])
def test_written_pages_are_current(script: str) -> None:
    done = subprocess.run([sys.executable, DOCS / script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_drawings_are_small_and_used() -> None:
    drawings = sorted((DOCS / "drawings").iterdir())
    used = set(re.findall(r"drawings/(\w+\.svg)\)", "".join(page.read_text() for page in PAGES)))
    assert {path.name for path in drawings} == used
    for path in drawings:
        assert path.stat().st_size < LARGEST_DRAWING
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_site_is_built_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    if (
        importlib.util.find_spec("mkdocs") is None
        or importlib.util.find_spec("mkdocstrings_handlers") is None
    ):
        pytest.skip("needs the extra docs")
    words = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    fetched = re.compile(r"<(?:script|img|link)[^>]*(?:src|href)=\"?https?://")
    for page in (tmp_path / "site").rglob("*.html"):
        assert not fetched.search(page.read_text()), page
