"""What is counted of a function, a docstring, a file, and of the imports between files."""

from __future__ import annotations

import ast
import re

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
    modules = {source.module for source in files}
    after = {source.module: _imported(source, modules) for source in files}
    reach = {module: _reached(module, after) for module in after}
    groups = {frozenset(other for other in reach[module] if module in reach[other]) for module in reach}
    return sorted(sorted(group) for group in groups if group)


def _imported(source: Source, modules: set[str]) -> set[str]:
    named = (i.target if i.target in modules else i.source for i in source.imports)
    return {module for module in named if module in modules}


def _reached(start: str, after: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = after[waiting.pop()] - seen
        seen |= new
        waiting.extend(new)
    return seen
