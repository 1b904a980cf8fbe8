"""The registry: every function genbab knows by name, and representative members of each family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genbab.errors import UsageError
from genbab.kernels import Function
from genbab.nonlinear.facts.real import exact
from genbab.nonlinear.facts.record import Nonlinearity

Factory = Callable[..., Nonlinearity]

Kernel = Function | Callable[..., Function | None]
"""What kernels know a function by, or what says so for its parameters: None where they do not know it."""


@dataclass(frozen=True)
class Operator:
    """An ONNX operator that is one function of the library.

    `attributes` are (name, default) of the attributes that are the factory's parameters, in its order.
    """

    kind: str
    attributes: tuple[tuple[str, float], ...] = ()
    domain: str = ""


REGISTRY: dict[str, Factory] = {}
"""Name to factory; `REGISTRY["power"](3)` is x**3, `REGISTRY["tanh"]()` is tanh."""

OPERATORS: dict[tuple[str, str], tuple[str, Operator]] = {}
"""(domain, kind) of an ONNX operator to the function's name and the operator."""

DEFINITIONS: dict[str, str] = {}
"""Name of a function to what it is in terms of others: a formula in x and its parameters."""

KERNELS: dict[str, Kernel] = {}
"""Name of a function to what kernels know it by."""

_EXAMPLES: dict[str, tuple[Nonlinearity, ...]] = {}


def register(
    name: str,
    factory: Factory,
    examples: Sequence[Sequence[float]] = ((),),
    onnx: Sequence[Operator] = (),
    definition: str | None = None,
    kernel: Kernel | None = None,
) -> None:
    """Make `name` known; `examples` are parameter tuples at which the library's tests try the family.

    `definition`: the function as a formula in x, the factory's parameters and other functions, exact over the
    reals. It is how the function is written where ONNX has no operator for it, and what tests compare with.
    `kernel`: what kernels know it by, where they do.

    Raises UsageError if the name or an operator is taken or a factory gives its record another name.
    """
    if name in REGISTRY:
        raise UsageError(f"nonlinearity '{name}' is already registered")
    for operator in onnx:
        if (operator.domain, operator.kind) in OPERATORS:
            taken = OPERATORS[operator.domain, operator.kind][0]
            raise UsageError(f"ONNX operator '{operator.kind}' is already the function '{taken}'")
    records = tuple(factory(*params) for params in examples)
    if any(record.name != name for record in records):
        raise UsageError(f"the factory of '{name}' makes records named {sorted({r.name for r in records})}")
    REGISTRY[name] = factory
    OPERATORS.update({(o.domain, o.kind): (name, o) for o in onnx})
    _EXAMPLES[name] = records
    if definition is not None:
        DEFINITIONS[name] = definition
    if kernel is not None:
        KERNELS[name] = kernel


def make(name: str, *params: float) -> Nonlinearity:
    """The function `name` at `params`, which must be known exactly; UsageError names the known ones."""
    if not exact(*params):
        raise UsageError(f"'{name}' needs a parameter that is known exactly")
    if name not in REGISTRY:
        raise UsageError(f"unknown nonlinearity '{name}'; known: {', '.join(sorted(REGISTRY))}")
    return REGISTRY[name](*map(float, params))


def kernel_of(fn: Nonlinearity) -> Function | None:
    """What kernels know the function by; None where they do not know it."""
    kernel = KERNELS.get(fn.name)
    return kernel(*fn.params) if callable(kernel) else kernel


def functions() -> tuple[Nonlinearity, ...]:
    """Representative records of every registered family."""
    return tuple(record for records in _EXAMPLES.values() for record in records)
