"""Writes docs/operators.md from genbab's own tables: `python docs/make_operators.py` (--check: compares)."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from made import write_or_compare
from onnx import defs

from genbab.nonlinear import REGISTRY, Nonlinearity, functions
from genbab.nonlinear.composed.formula import signature
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.nonlinear.lines.describe import curvature, domain, jumps, operators, solved
from genbab.reader.convert.control import CONTROL
from genbab.reader.convert.sequences import SEQUENCES
from genbab.reader.lower import LOWERINGS, MOVES
from genbab.reader.lower.table import HOW, ML, ML_REFUSED, REFUSED

PAGE = Path(__file__).resolve().with_name("operators.md")

HEAD = """\
# What genbab reads

Written by `python docs/make_operators.py` from genbab's own tables; do not edit.

A node whose inputs are all constant is computed on loading, whatever its operator. The tables say
what becomes of a node that depends on the network's input: it is *affine* (exact), or one *function* of one
variable from the library below, or products and sums of these. Elementwise operators of one tensor in a row
are put together to one function, however the model spells it. Operators that ONNX defines by others, and
functions that a model defines, are spelled out first. What is refused is named, with the reason, on loading.
"""

ABOUT_ML = """\
What scikit-learn's models are exported with. Inputs are float32, or integers that are converted. Text and
dictionaries are refused, but an output that `ZipMap` makes of a tensor is read as that tensor. Choose outputs
([cli.md](cli.md#verify)) where labels are text.
"""

ALIKE = {
    "If": "the branch that is taken; the condition must be constant",
    "Loop": "the turns one after the other, or their fixed point; conditions are constant, or of such turns",
    "Scan": "the turns one after the other",
}
CONSTANT = {
    "ConstantOfShape": "a constant: its shape is known",
    "Range": "a constant: where its ends depend on the input, so does its shape",
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), "a constant: its size is known"),
}
DOMAINS = ("ai.onnx.preview", "ai.onnx.preview.training")
NO_RULE = "no rule for this operator"
DEPENDS = ("constant", "known", "scalar", "integers", "known_integers")
"""They refuse what depends on the network's input; their second argument says what it is."""


def page() -> str:
    """The text of docs/operators.md."""
    read = sorted(_operators())
    made = [HEAD, "## ONNX operators\n", *_table(("operator", "becomes", "refused"), read)]
    kinds = {kind for kind, _, _ in read}
    made += ["", "Spelled out as ONNX defines them by others, or computed where their inputs are constant:\n"]
    made += _table(("operator", "how"), sorted(_others(kinds)))
    made += ["", "Refused on anything that depends on the network's input:\n"]
    made += _table(("operator", "reason"), sorted((kind, why) for kind, why in _refused(kinds)))
    made += ["", "## Operators of ai.onnx.ml\n", ABOUT_ML]
    made += _table(("operator", "becomes", "refused"), sorted(_of_ml()))
    for other in DOMAINS:
        made += [
            "",
            f"## Operators of `{other}`\n",
            *_table(("operator", "becomes"), sorted(_of_domain(other))),
        ]
    made += ["", "## Functions\n", _about_functions()]
    made += _table(
        ("function", "ONNX operator", "curvature", "jumps", "domain", "point of a given slope"),
        [_function(record) for record in _examples()],
    )
    return "\n".join(made) + "\n"


def _about_functions() -> str:
    return (
        f"{len(REGISTRY)} functions; the facts are those at the parameters given in the first column. Any "
        'formula in them\nis a function, too: `genbab relax "x + sin(x)**2" -4 4` shows it.\n'
    )


def _table(head: tuple[str, ...], rows: list[Any]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def _operators() -> Iterator[tuple[str, str, str]]:
    """(operator, what it becomes, what is refused)."""
    for kind in LOWERINGS.keys() | MOVES.keys() | {kind for space, kind in OPERATORS if not space}:
        rules: list[Callable[..., Any]] = []
        if kind in LOWERINGS:
            rules.append(LOWERINGS[kind])
        if kind in MOVES:
            rules.append(MOVES[kind].function)
        how = HOW.get(kind) or f"one function: {OPERATORS['', kind][0]}"
        yield kind, how, "; ".join(dict.fromkeys(r for rule in rules for r in reasons(rule)))
    others: dict[str, Callable[..., Any]] = {**CONTROL, **SEQUENCES}
    for kind, rule in others.items():
        yield kind, ALIKE.get(kind, "sequences of tensors are followed"), "; ".join(reasons(rule))
    yield "Constant", "a constant", ""
    yield "Shape", "a constant: every shape is known", ""
    yield "Size", "a constant: every shape is known", ""


def _of_ml() -> Iterator[tuple[str, str, str]]:
    """The same of the domain of classical machine learning."""
    for kind, rule in ML.items():
        yield kind, HOW[f"ai.onnx.ml.{kind}"], "; ".join(reasons(rule))
    for kind, reason in ML_REFUSED.items():
        yield kind, "refused", reason
    for kind in _schemas("ai.onnx.ml").keys() - ML.keys() - ML_REFUSED.keys():
        yield kind, "refused", NO_RULE


def _schemas(domain: str) -> dict[str, Any]:
    """The newest definition of every operator of a domain."""
    found: dict[str, Any] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == domain:
            found[schema.name] = max(found.get(schema.name, schema), schema, key=lambda s: s.since_version)
    return found


def _others(read: set[str]) -> Iterator[tuple[str, str]]:
    """(operator, how it is read) of those that have no rule and need none."""
    for kind, schema in _schemas("").items():
        if kind in read or kind in REFUSED:
            continue
        if kind in CONSTANT:
            yield kind, CONSTANT[kind]
        elif schema.has_function or schema.has_context_dependent_function:
            yield kind, "spelled out"


def _refused(read: set[str]) -> Iterator[tuple[str, str]]:
    """(operator, reason) of those that have no rule."""
    spelled = {kind for kind, _ in _others(read)}
    for kind in _schemas("").keys() - read - spelled:
        yield kind, REFUSED.get(kind, NO_RULE)


def _of_domain(domain: str) -> Iterator[tuple[str, str]]:
    """(operator, what it becomes, or that it has no rule) of a domain other than ONNX's own."""
    for kind, schema in _schemas(domain).items():
        if (domain, kind) in OPERATORS:
            yield kind, f"one function: {OPERATORS[domain, kind][0]}"
        elif schema.has_function or schema.has_context_dependent_function:
            yield kind, "refused: no rule, and it is not spelled out"
        else:
            yield kind, f"refused: {REFUSED.get(kind, NO_RULE)}"


def reasons(rule: Callable[..., Any]) -> list[str]:
    """The reasons for which a rule, or a function of its module that it calls, refuses a node."""
    found: dict[str, None] = {}
    waiting, seen = [rule], {rule}
    for function in waiting:
        for name, call in _calls(function):
            if name == "Refused" and call.args:
                found.update(dict.fromkeys(_texts(call.args[0], "{}")))
            elif name in DEPENDS and len(call.args) > 1:
                found.update(dict.fromkeys(_texts(call.args[1], "{}, if not constant")))
            called = getattr(function, "__globals__", {}).get(name)
            if inspect.isfunction(called) and called.__module__ == rule.__module__ and called not in seen:
                seen.add(called)
                waiting.append(called)
    return [reason for reason in found if not reason.endswith("of a constant")]


def _calls(function: Callable[..., Any]) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a function by the plain name that is called."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def _texts(node: ast.expr, frame: str) -> list[str]:
    """A string of the source, parts of which may be known only when it runs; none if it is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [frame.format(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        return [frame.format("".join(parts))]
    return []


def _examples() -> list[Nonlinearity]:
    """One record per function, by name."""
    first: dict[str, Nonlinearity] = {}
    for record in functions():
        first.setdefault(record.name, record)
    return [first[name] for name in sorted(first)]


def _function(record: Nonlinearity) -> tuple[str, ...]:
    given = f" at {', '.join(f'{p:g}' for p in record.params)}" if record.params else ""
    onnx = ", ".join(operators(record.name))
    return (
        f"`{signature(record.name)}`{given}",
        onnx,
        curvature(record),
        jumps(record),
        domain(record),
        solved(record),
    )


if __name__ == "__main__":
    sys.exit(write_or_compare({PAGE: page()}, __doc__))
