"""Expressions as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply, Step
from genbab.nonlinear.facts.record import Nonlinearity

_LONGEST = 160


def text(steps: Sequence[Step]) -> str:
    """The formula in x; steps whose text would be too long stand by their number."""
    texts: list[str] = []
    for step in steps:
        if isinstance(step, Argument):
            one = "x"
        elif isinstance(step, Apply):
            one = _call_text(step.fn, texts[step.a])
        elif isinstance(step, Multiply):
            one = f"{_factor_text(texts[step.a])}*{_factor_text(texts[step.b])}"
        else:
            one = _sum_text(step, texts)
        texts.append(one if len(one) <= _LONGEST else f"<{len(texts)}>")
    return texts[-1]


def _call_text(fn: Nonlinearity, argument: str) -> str:
    if fn.name == "power" and fn.params[0].is_integer():
        return f"{_factor_text(argument)}^{int(fn.params[0])}"
    return f"{fn.name}({', '.join([argument, *(f'{p:.6g}' for p in fn.params)])})"


def _factor_text(text: str) -> str:
    """The text in brackets, unless nothing at its outermost level needs them."""
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth == 0 and character == " ":
            return f"({text})"
    return text


def _sum_text(step: Combine, texts: Sequence[str]) -> str:
    parts = [
        texts[source] if factor == 1.0 else f"{factor:.6g}*{_factor_text(texts[source])}"
        for source, factor in step.terms
    ]
    if step.shift or not parts:
        parts.append(f"{step.shift:.6g}")
    return " + ".join(parts).replace("+ -", "- ")
