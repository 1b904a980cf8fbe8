"""Writes the layout into design.md and CONTRIBUTING.md: `python docs/make_layout.py` (--check: compares).

The floors come from pyproject.toml, the sentences from the first lines of the docstrings.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from made import write_or_compare

ROOT = Path(__file__).resolve().parent.parent
FLOORS: list[list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["genbab"]["floors"]
OWN_FOLDER = ("kernels", "lut", "specs")
MARKED = re.compile(
    r"(?<=<!-- layout: written by docs/make_layout.py -->\n).*?(?=<!-- end of the layout -->)", re.S
)


def main() -> int:
    """Both pages, written or compared."""
    design, contributing = ROOT / "docs" / "design.md", ROOT / "CONTRIBUTING.md"
    return write_or_compare(
        {design: _with(design, _table()), contributing: _with(contributing, _floors())}, __doc__
    )


def _with(page: Path, lines: Iterator[str]) -> str:
    """The page with these lines between its marks."""
    text = page.read_text(encoding="utf-8")
    assert len(MARKED.findall(text)) == 1, f"{page.name} has no marks"
    return MARKED.sub(lambda _: "\n" + "\n".join(lines) + "\n\n", text)


def _table() -> Iterator[str]:
    """Each part from the top floor down, the folders in it below it, with the first line of its docstring."""
    yield "| floor | part | what it is |"
    yield "|---|---|---|"
    for floor, parts in reversed(list(enumerate(FLOORS, 1))):
        for part in parts:
            place = ROOT / part if part in OWN_FOLDER else ROOT / "genbab" / part
            if place.is_dir():
                yield from (
                    _row(floor, inner.parent) for inner in sorted(place.rglob("__init__.py"), key=_order)
                )
            else:
                yield _row(floor, place.with_suffix(".py"))


def _order(path: Path) -> tuple[str, ...]:
    return path.parent.parts


def _row(floor: int, place: Path) -> str:
    path = place / "__init__.py" if place.is_dir() else place
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    name = place.relative_to(ROOT).as_posix() + "/" * place.is_dir()
    return f"| {floor} | `{name}` | {said.partition(chr(10))[0]} |"


def _floors() -> Iterator[str]:
    """The floors alone, the top one first, as a block of text."""
    for floor, parts in reversed(list(enumerate(FLOORS, 1))):
        yield f"    {floor:2}  {'  '.join(f'{part:9}' for part in parts)}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
