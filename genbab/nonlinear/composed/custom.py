"""Functions that users bring: written with torch, as an expression, or as a record of facts."""

from __future__ import annotations

import inspect
import keyword
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from genbab.errors import UsageError
from genbab.nonlinear.composed.checking import problems
from genbab.nonlinear.composed.composed import compose
from genbab.nonlinear.composed.formula import CHOICES, CONSTANTS, formula
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.jets import jet
from genbab.nonlinear.expressions.steps import Combine
from genbab.nonlinear.expressions.traced import Traced
from genbab.nonlinear.expressions.tracing import trace
from genbab.nonlinear.facts import registry
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator

_SAMPLES = 401
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
RESERVED = frozenset(("x", "e", "inf", "nan", *CONSTANTS, *CHOICES))
"""Names that are something else in formulas, or look so."""


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
    function: Nonlinearity | Expression | str | Callable[..., Any],
    *,
    parameters: Mapping[str, float] | None = None,
    onnx: str | None = None,
) -> Callable[..., Nonlinearity]:
    """Make a function known under a name; gives what makes its record: `made()`, `made(2.0)`, `made(a=2.0)`.

    name: letters, digits and _, so that formulas can use it. function: elementwise code on torch tensors,
    called as function(x, *parameters), a formula in x and the parameters, or an `Expression` (its facts are
    found and certified); or a `Nonlinearity` of this name, whose facts are checked by dense sampling.
    parameters: names and defaults. onnx: "domain::Operator" to be read as this function, its attributes being
    the parameters.

    Raises UsageError: the name or the operator is taken or cannot be one, a parameter is no finite number,
    the code cannot be followed or is not what was traced, its bends cannot be certified, or a fact is wrong
    (the message says which, and where).
    """
    _check_name(name)
    known = _checked(name, parameters)
    domain, kind = ("", "") if onnx is None else _operator(name, onnx)
    made, written = _factory(name, function, known)
    operators = [Operator(kind, known, domain)] if kind else []
    registry.register(name, made, [tuple(v for _, v in known)], operators)
    if kind:
        CUSTOM[domain, kind] = Custom(name, known, written)
    return made


def _check_name(name: object) -> None:
    accepted = "a name is a letter and then letters, digits and _, for instance 'snake_2'"
    if not isinstance(name, str):
        raise UsageError(f"register(name, function): the name is {type(name).__name__}; {accepted}")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(f"'{name}' cannot be the name of a function: {accepted}")
    if name in RESERVED:
        raise UsageError(
            f"'{name}' cannot be the name of a function: it means something else in formulas, "
            f"like {', '.join(sorted(RESERVED - {name}))}"
        )
    if name in registry.REGISTRY:
        raise UsageError(f"nonlinearity '{name}' is already registered; genbab relax --list shows all names")


def _checked(name: str, parameters: object) -> tuple[tuple[str, float], ...]:
    """Names and defaults of the parameters."""
    if parameters is None:
        return ()
    if not isinstance(parameters, Mapping):
        kind = type(parameters).__name__
        raise UsageError(
            f"{name}: parameters is {kind}; give names and defaults, for instance parameters={{'a': 1.0}}"
        )
    for key in parameters:
        if not isinstance(key, str) or not key.isidentifier():
            raise UsageError(f"{name}: a parameter is called {key!r}; its name must be one that Python takes")
    return tuple((key, _finite(name, key, value)) for key, value in parameters.items())


def _finite(name: str, parameter: str, value: object) -> float:
    """The value of a parameter as a finite number."""
    single = isinstance(value, torch.Tensor) and value.numel() == 1
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        found = float(value) if single or real else math.nan  # type: ignore[arg-type]
    except (OverflowError, TypeError, RuntimeError):
        found = math.nan
    if not math.isfinite(found):
        raise UsageError(f"{name}: parameter '{parameter}' is {value!r}; a finite number is needed")
    return found


def _operator(name: str, onnx: object) -> tuple[str, str]:
    """(domain, operator)."""
    domain, _, kind = onnx.rpartition("::") if isinstance(onnx, str) else ("", "", "")
    if not domain or not kind or domain == "ai.onnx":
        raise UsageError(
            f"onnx={onnx!r}: write it as 'domain::Operator', for instance 'com.example::{name}'; "
            "operators of ONNX itself are what they are"
        )
    return domain, kind


@dataclass(frozen=True)
class _Family:
    """What makes the records of a function that is known as code or as an expression."""

    name: str
    function: str | Expression | Callable[..., Any]
    known: tuple[tuple[str, float], ...]

    def __call__(self, *values: float, **named: float) -> Nonlinearity:
        given = self._given(values, named)
        expression = self.written(*given)
        try:
            return replace(compose(expression), name=self.name, params=given)
        except UsageError as error:
            raise UsageError(f"{self.name}: {error}") from error

    def written(self, *values: float) -> Expression:
        """The expression at these parameters."""
        if isinstance(self.function, Expression):
            return self.function
        given = self._given(values, {})
        if isinstance(self.function, str):
            return formula(self.function, dict(zip(dict(self.known), given, strict=True)))
        self._check_call(given)
        expression = trace(self.function, *given, name=self.name)
        _agree(self.name, expression, self.function, given)
        return expression

    def _given(self, values: tuple[float, ...], named: Mapping[str, float]) -> tuple[float, ...]:
        if any(isinstance(value, Traced | torch.Tensor) and value.ndim for value in values):
            call = ", ".join(name for name, _ in self.known)
            raise UsageError(f"'{self.name}' makes functions: write {self.name}() or {self.name}({call})")
        names = [name for name, _ in self.known]
        taken = f"its parameters are {', '.join(names)}" if names else "it has none"
        if len(values) > len(names):
            raise UsageError(f"{self.name} takes {len(names)} parameters, not {len(values)}; {taken}")
        first = dict(zip(names, values, strict=False))
        for name in named:
            if name not in names:
                raise UsageError(f"{self.name}: unknown parameter '{name}'; {taken}")
            if name in first:
                raise UsageError(f"{self.name}: parameter '{name}' is given twice")
        given = {**dict(self.known), **first, **named}
        return tuple(_finite(self.name, name, given[name]) for name in names)

    def _check_call(self, given: tuple[float, ...]) -> None:
        """Raises UsageError unless the code takes a tensor and the parameters."""
        try:
            assert callable(self.function)
            inspect.signature(self.function).bind(None, *given)
        except TypeError as error:
            call = ", ".join(["x", *(name for name, _ in self.known)])
            raise UsageError(
                f"{self.name}: the code is called with ({call}), and does not take that: {error}; "
                "parameters={'a': 1.0} names its further arguments with their defaults"
            ) from error
        except ValueError:
            pass  # functions written in C do not tell; calling them will


def _factory(
    name: str,
    function: Nonlinearity | Expression | str | Callable[..., Any],
    known: tuple[tuple[str, float], ...],
) -> tuple[Callable[..., Nonlinearity], Callable[..., Expression] | None]:
    """(what makes the record, what makes the expression), both called with the parameters."""
    if not isinstance(function, Nonlinearity):
        if inspect.isclass(function):
            raise UsageError(
                f"{name}: {function.__name__} is a class; give {function.__name__}(), or a function"
            )
        if not isinstance(function, str | Expression) and not callable(function):
            kind = type(function).__name__
            raise UsageError(
                f"{name}: a function, a formula, an Expression or a Nonlinearity is needed, not {kind}"
            )
        if isinstance(function, str) and RESERVED & dict(known).keys():
            raise UsageError(
                f"{name}: a parameter of a formula cannot be called {' or '.join(sorted(RESERVED))}"
            )
        if isinstance(function, Expression) and known:
            raise UsageError(f"{name}: an Expression has no parameters; register a function for a family")
        family = _Family(name, function, known)
        return family, family.written
    if known:
        raise UsageError(f"{name}: a record has its parameters inside; register a function for a family")
    wrong = problems(function)
    if function.name != name:
        wrong.insert(0, f"its record is named '{function.name}'")
    if wrong:
        raise UsageError(f"{name}: " + "; ".join(wrong))
    return lambda: function, None


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
    if not isinstance(theirs, torch.Tensor):
        raise UsageError(f"{name}: on a tensor it gives {type(theirs).__name__}, not a tensor")
    if theirs.shape != x.shape or theirs.is_complex():
        raise UsageError(
            f"{name}: it is not elementwise: a tensor of real numbers must give one of the same shape"
        )
    theirs = theirs.detach().double()
    known = jet(expression, x, x)
    room = 1e-8 * (1.0 + ours.abs()) + 4.0 * known.error
    apart = torch.isfinite(theirs) & ~known.broken & ((theirs - ours).abs() > room)
    bad = torch.isfinite(ours) & (apart | torch.isnan(theirs))
    if bool(bad.any()):
        i = int(bad.to(torch.int64).argmax())
        raise UsageError(
            f"{name}: at x = {float(x[i]):.6g} the code gives {float(theirs[i]):.9g}, "
            f"but what could be followed of it ({expression}) gives {float(ours[i]):.9g}"
        )
