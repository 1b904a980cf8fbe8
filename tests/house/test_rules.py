"""The package keeps the rules that count, but for the exceptions listed; and the counting is right."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import counts, rules
from tests.house.source import PARTS, ROOT, Source, sources

EXCEPTIONS = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text(encoding="utf-8"))
FILES = sources(*PARTS)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rule_is_kept(rule: Callable[[list[Source]], rules.Breaks]) -> None:
    breaks, listed = rule(FILES), EXCEPTIONS.get(rule.__name__, {})
    new = {place: what for place, what in breaks.items() if listed.get(place) != what}
    assert not new, f"{rule.__doc__} `python benchmarks/measure.py --list` has them all."
    needless = listed.keys() - breaks.keys()
    assert not needless, "strike these from tests/house/exceptions.toml"


def test_every_exception_is_one_of_a_rule() -> None:
    assert EXCEPTIONS.keys() <= {rule.__name__ for rule in rules.RULES}


def test_every_source_file_counts_once() -> None:
    modules = [source.module for source in FILES]
    assert len(modules) == len(set(modules)) and "genbab.specs.reader" in modules and "genbab" in modules


def written(text: str, path: str = "seeded.py") -> Source:
    """A file of the package that says this, without writing it."""
    source = Source(ROOT / "genbab" / path)
    source.__dict__["text"] = text  # where a cached property keeps its value
    return source


SEEDED = [
    (rules.long_files, "\n" * 301, {"genbab/seeded.py": 301}),
    (
        rules.long_functions,
        "class A:\n    def f(self): return (\n" + "\n" * 49 + "    )",
        {"genbab/seeded.py:A.f": 51},
    ),
    (
        rules.complex_functions,
        "def f():" + "\n  if x: y\n  elif y: z" * 5,
        {"genbab/seeded.py:f": 11},
    ),
    (
        rules.repeated_classes,
        "class A: ...\ndef f():\n  class A: ...",
        {"A": ["genbab.seeded"] * 2},
    ),
    (
        rules.retired_words,
        "class JudgedByText: ...\nclass Givens: ...",
        {"JudgedByText": ["judged"]},
    ),
    (
        rules.broken_first_lines,
        '"""One."""\ndef _f():\n  """Two,\n  three."""',
        {"genbab/seeded.py": 1},
    ),
    (
        rules.undocumented,
        '"""M."""\nclass A:\n  """A."""\n  def f(self): ...\n  def _g(self): ...\ndef _h():\n  def g(): ...',
        {"genbab/seeded.py": 1},
    ),
    (
        rules.waived_arguments,
        "def f(  # noqa: A002, PLR0913 - why\n):\n  # PLR0913\n  ...",
        {"genbab/seeded.py": 1},
    ),
    (
        rules.import_circles,
        "def f():\n  from genbab import seeded",
        {"genbab.seeded": ["genbab.seeded"]},
    ),
]


@pytest.mark.parametrize(("rule", "text", "breaks"), SEEDED, ids=lambda value: getattr(value, "__name__", ""))
def test_rule_sees_a_seeded_fault(
    rule: Callable[[list[Source]], rules.Breaks], text: str, breaks: rules.Breaks
) -> None:
    assert rule([written(text)]) == breaks


def test_crowded_folder_is_seen() -> None:
    files = [Source(ROOT / "genbab" / "seeded" / f"{number}.py") for number in range(15)]
    assert rules.crowded_folders(files) == {"genbab/seeded": 15}


def test_folder_circle_is_seen() -> None:
    said = {
        "a/__init__": "",
        "b/__init__": "",
        "b/v": "",
        "a/x": "from genbab.b.v import z",
        "b/w": "import genbab.a.x",
    }
    files = [written(text, f"{path}.py") for path, text in said.items()]
    assert not rules.import_circles(files)
    assert rules.folder_circles(files) == {"genbab.a": ["genbab.a", "genbab.b"]}
    assert not rules.folder_circles(files[:-1])


def test_code_lines_leave_out_what_is_said_about_code() -> None:
    assert written('"""Said.\n\nMore."""\n# why\n\nx = (\n    1,  # one\n)\n').code_lines() == 3


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("pass", 1),
        ("for x in y: pass\nelse: pass", 2),
        ("try: pass\nexcept A: pass\nexcept B: pass\nelse: pass\nfinally: pass", 4),
        ("match x:\n  case 1: pass\n  case _: pass", 2),
        ("def g():\n  if x: pass\nreturn [a for a in b if c and d]", 3),
    ],
)
def test_complexity_is_mccabes(text: str, number: int) -> None:
    body = "".join(f"    {line}\n" for line in text.splitlines())
    function = ast.parse(f"def f():\n{body}").body[0]
    assert isinstance(function, ast.FunctionDef) and counts.complexity(function) == number


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("isinstance(node, Affine)", True),
        ("isinstance(self.nodes[number], Input | Affine)", True),
        ("isinstance(node, nodes.Grouped)", True),
        ("isinstance(node, (Affine, Grouped))", True),
        ("isinstance(fn, Nonlinearity)", False),
        ("isinstance(error, InputError)", False),
    ],
)
def test_questions_of_kind_are_seen(text: str, asked: bool) -> None:
    assert counts.kinds_asked(written(text)) == asked
