"""What the rules and `make measure` count: files, functions, classes and docstrings of the package."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("genbab", "kernels", "lut", "specs")
Function = ast.FunctionDef  # nothing here is asynchronous
Definition = ast.FunctionDef | ast.ClassDef
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


class Import(NamedTuple):
    """One import: the importing module, its line, the imported one, the name taken from it ("": none)."""

    module: str
    line: int
    source: str
    name: str

    @property
    def target(self) -> str:
        """What it names: a module, or something in one."""
        return f"{self.source}.{self.name}" if self.name else self.source

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@dataclass(frozen=True)
class Named:
    """A definition with its full name in its file, and whether every part of that name is public."""

    name: str
    node: Definition
    public: bool
    """False inside functions, too: nobody can reach what is defined there."""


@dataclass(frozen=True)
class Source:
    """A file of Python."""

    path: Path

    @property
    def place(self) -> str:
        """The path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        """The name by which it is imported: genbab.specs.reader for specs/reader.py."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        inside = parts if parts[0] not in PARTS[1:] else ("genbab", *parts)
        return ".".join(inside if inside[-1] != "__init__" else inside[:-1])

    @cached_property
    def text(self) -> str:
        """What the file says."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def definitions(self) -> tuple[Named, ...]:
        """Its classes and functions, those inside others too, in order."""
        return tuple(_definitions(self.tree, (), public=True))

    @property
    def functions(self) -> Iterator[tuple[str, Function]]:
        """Its functions and methods by full name."""
        for named in self.definitions:
            if not isinstance(named.node, ast.ClassDef):
                yield named.name, named.node

    @property
    def docstrings(self) -> Iterator[tuple[str, str | None, bool]]:
        """What may have a docstring, the module first: (name, docstring, whether it must have one)."""
        yield "", ast.get_docstring(self.tree), True
        for named in self.definitions:
            yield named.name, ast.get_docstring(named.node), named.public and not _is_overload(named.node)

    @property
    def imports(self) -> Iterator[Import]:
        """Its absolute imports, those inside functions and for types only too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Import(self.module, node.lineno, name.name, "") for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.place}:{node.lineno}: relative import"
                for name in node.names:
                    yield Import(self.module, node.lineno, str(node.module), name.name)

    def code_lines(self) -> int:
        """Lines that hold code: no comments, no docstrings, no blank lines."""
        docstrings = {line for node in ast.walk(self.tree) for line in _text_lines(node)}
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in LAYOUT:
                lines.update(range(token.start[0], token.end[0] + 1))
        return len(lines - docstrings)


def sources(*folders: str) -> list[Source]:
    """Every file of Python in these folders of the repository, once: links to folders are not followed."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [Source(path) for path in paths if path.resolve() == path]


def _definitions(node: ast.AST, outer: tuple[str, ...], *, public: bool) -> Iterator[Named]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            path = (*outer, child.name)
            reached = public and not child.name.startswith("_")
            yield Named(".".join(path), child, reached)
            yield from _definitions(child, path, public=reached and isinstance(child, ast.ClassDef))
        elif not isinstance(child, ast.expr):
            yield from _definitions(child, outer, public=public)


def _is_overload(node: ast.AST) -> bool:
    return isinstance(node, Function) and any(
        isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list
    )


def _text_lines(node: ast.AST) -> range:
    """The lines of a string that stands as a statement."""
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(0)
