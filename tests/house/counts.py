"""What is counted of a function, a docstring, a file, and of the imports between files."""

from __future__ import annotations

import ast
import os.path
import re
from collections import defaultdict
from collections.abc import Mapping

from tests.house.source import Function, Source

ARGUMENTS_WAIVED = re.compile(r"# noqa:[^#\n]*\bPLR0913\b")
KINDS = {"Affine", "Nonlinear", "Grouped", "Input"}


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def complexity(function: Function) -> int:
    """McCabe's number as ruff's C901 counts it: 1 and the branches, those of inner functions too."""
    return 1 + sum(map(_branches, function.body))


def _branches(node: ast.AST) -> int:
    own = 0
    if isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | Function):
        own = 1
    elif isinstance(node, ast.Try | ast.TryStar):
        own = bool(node.orelse)
    elif isinstance(node, ast.match_case):
        own = not _takes_all(node)
    inner = (ast.stmt, ast.match_case, ast.ExceptHandler)
    return own + sum(_branches(child) for child in ast.iter_child_nodes(node) if isinstance(child, inner))


def _takes_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None


def annotated(function: Function) -> bool:
    """Whether every argument but self and cls, and the result, has a type."""
    a = function.args
    arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    typed = (argument.annotation is not None for argument in arguments if argument.arg not in ("self", "cls"))
    return all(typed) and function.returns is not None


def ends_in_period(docstring: str) -> bool:
    """Whether the first line is whole: a sentence, or a phrase, that ends there."""
    return docstring.strip().partition("\n")[0].rstrip().endswith(".")


def kinds_asked(source: Source) -> int:
    """How often it asks of what kind a node is, which a `Meaning` answers without asking."""
    calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
    return sum(
        isinstance(call.func, ast.Name)
        and call.func.id == "isinstance"
        and bool(KINDS.intersection(re.findall(r"\w+", ast.unparse(call.args[1]))))
        for call in calls
    )


def circles(files: list[Source]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    return _circles(_imported(files))


def folder_circles(files: list[Source]) -> list[list[str]]:
    """Groups of folders, and of the modules beside them, whose modules import each other."""
    folders = {source.module for source in files if source.path.name == "__init__.py"}
    beside: defaultdict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module, others in _imported(files).items():
        for other in others:
            outer, a, b = _apart(module, other)
            if outer and (a in folders or b in folders):
                beside[outer][a].add(b)
    return [group for after in beside.values() for group in _circles(after)]


def _apart(a: str, b: str) -> tuple[str, str, str]:
    """The package that holds both modules, and what of it each is or lies in; "" if one holds the other."""
    shared = os.path.commonprefix([a.split("."), b.split(".")])  # of lists, too
    outer, depth = ".".join(shared), len(shared) + 1
    inner = (".".join(a.split(".")[:depth]), ".".join(b.split(".")[:depth]))
    return ("", a, b) if outer in inner else (outer, *inner)


def _imported(files: list[Source]) -> dict[str, set[str]]:
    modules = {source.module for source in files}
    named = {
        source.module: {i.target if i.target in modules else i.source for i in source.imports}
        for source in files
    }
    return {module: others & modules for module, others in named.items()}


def _circles(after: Mapping[str, set[str]]) -> list[list[str]]:
    reach = {name: _reached(name, after) for name in after}
    groups = {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in reach}
    return sorted(sorted(group) for group in groups if group)


def _reached(start: str, after: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = after.get(waiting.pop(), set()) - seen
        seen |= new
        waiting.extend(new)
    return seen
