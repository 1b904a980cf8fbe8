"""Functions that users bring: written with torch, as an expression, or as a record of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from genbab.errors import UsageError
from genbab.nonlinear import registry
from genbab.nonlinear.checking import problems
from genbab.nonlinear.composed import compose
from genbab.nonlinear.expression import Combine, Expression
from genbab.nonlinear.jets import jet
from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.registry import Operator
from genbab.nonlinear.tracing import trace

_SAMPLES = 401


@dataclass(frozen=True)
class Custom:
    """A function that a user brought; `written` makes its expression, None if it is known by facts only."""

    name: str
    parameters: tuple[tuple[str, float], ...]
    written: Callable[..., Expression] | None


CUSTOM: dict[tuple[str, str], Custom] = {}
"""(domain, kind) of an ONNX operator to what it means."""


def register(
    name: str,
    function: Nonlinearity | Expression | Callable[..., Any],
    *,
    parameters: Mapping[str, float] | None = None,
    onnx: str | None = None,
) -> Callable[..., Nonlinearity]:
    """Make a function known under a name; gives what makes its record: `made()` or `made(*parameters)`.

    function: elementwise code on torch tensors, called as function(x, *parameters) (its facts are found and
    certified); an `Expression`; or a `Nonlinearity` of this name, whose facts are checked by dense sampling.
    parameters: names and defaults. onnx: "domain::Operator" to be read as this function, its attributes being
    the parameters.

    Raises UsageError: the name or the operator is taken, the code cannot be followed or is not what was
    traced, its bends cannot be certified, or a fact is wrong (the message says which, and where).
    """
    known = tuple((parameters or {}).items())
    made, written = _factory(name, function, known)
    operators = []
    if onnx is not None:
        domain, _, kind = onnx.rpartition("::")
        if not domain or not kind or domain == "ai.onnx":
            raise UsageError(
                f"onnx={onnx!r}: write it as 'domain::Operator', for instance 'com.example::{name}'"
            )
        operators = [Operator(kind, known, domain)]
    registry.register(name, made, [tuple(v for _, v in known)], operators)
    for operator in operators:
        CUSTOM[operator.domain, operator.kind] = Custom(name, known, written)
    return made


def _factory(
    name: str, function: Nonlinearity | Expression | Callable[..., Any], known: tuple[tuple[str, float], ...]
) -> tuple[Callable[..., Nonlinearity], Callable[..., Expression] | None]:
    """(what makes the record, what makes the expression), both called with the parameters."""
    if isinstance(function, Nonlinearity):
        if known:
            raise UsageError(f"{name}: a record has its parameters inside; register a function for a family")
        wrong = problems(function)
        if function.name != name:
            wrong.insert(0, f"its record is named '{function.name}'")
        if wrong:
            raise UsageError(f"{name}: " + "; ".join(wrong))
        record = function
        return lambda: record, None
    if not isinstance(function, Expression) and not callable(function):
        raise UsageError(
            f"{name}: a function, an Expression or a Nonlinearity is needed, not {type(function).__name__}"
        )

    def written(*values: float) -> Expression:
        if len(values) > len(known):
            raise UsageError(f"{name} takes {len(known)} parameters, not {len(values)}")
        given = (*values, *(default for _, default in known[len(values) :]))
        if isinstance(function, Expression):
            return function
        expression = trace(function, *given, name=name)
        _agree(name, expression, function, given)
        return expression

    def made(*values: float) -> Nonlinearity:
        expression = written(*values)
        found = compose(expression)
        given = (*values, *(default for _, default in known[len(values) :]))
        return replace(found, name=name, params=tuple(float(v) for v in given))

    return made, written


def _probes(expression: Expression) -> torch.Tensor:
    """Points to compare at: many sizes, whole and half numbers, and around every threshold written in it."""
    even = torch.linspace(-6.3, 6.7, _SAMPLES, dtype=torch.float64)
    sizes = torch.logspace(-8.0, 6.0, 281, dtype=torch.float64)
    whole = torch.linspace(-50.0, 50.0, 201, dtype=torch.float64)
    places = [
        -step.shift / step.terms[0][1]
        for step in expression.steps
        if isinstance(step, Combine) and len(step.terms) == 1 and step.terms[0][0] == 0
    ]
    near = torch.tensor(places, dtype=torch.float64)
    around = [near * (1.0 + d) for d in (-1e-9, 0.0, 1e-9)]
    return torch.cat([even, -sizes, sizes, whole, *around])


def _agree(name: str, expression: Expression, function: Callable[..., Any], given: tuple[float, ...]) -> None:
    """What was traced must be what the code computes."""
    x = _probes(expression)
    try:
        theirs = function(x.clone(), *given)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        raise UsageError(f"{name}: it fails on a tensor: {type(error).__name__}: {error}") from error
    ours = expression.value(x)
    if not isinstance(theirs, torch.Tensor) or theirs.shape != x.shape:
        raise UsageError(
            f"{name}: it is not elementwise: a tensor of one shape must give one of the same shape"
        )
    both = torch.isfinite(theirs) & torch.isfinite(ours)
    room = 1e-8 * (1.0 + ours.abs()) + 4.0 * jet(expression, x, x).error
    bad = both & ((theirs.double() - ours).abs() > room)
    if bool(bad.any()):
        i = int(bad.to(torch.int64).argmax())
        raise UsageError(
            f"{name}: at x = {float(x[i]):.6g} the code gives {float(theirs[i]):.9g}, "
            f"but what could be followed of it ({expression}) gives {float(ours[i]):.9g}"
        )
