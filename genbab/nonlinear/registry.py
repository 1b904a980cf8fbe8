"""The registry: every function genbab knows by name, and representative members of each family."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from genbab.errors import UsageError
from genbab.nonlinear.record import Nonlinearity

Factory = Callable[..., Nonlinearity]

REGISTRY: dict[str, Factory] = {}
"""Name to factory; `REGISTRY["power"](3)` is x**3, `REGISTRY["tanh"]()` is tanh."""

_EXAMPLES: dict[str, tuple[Nonlinearity, ...]] = {}


def register(name: str, factory: Factory, examples: Sequence[Sequence[float]] = ((),)) -> None:
    """Make `name` known; `examples` are parameter tuples at which the library's tests try the family.

    Raises UsageError if the name is taken or a factory gives its record another name.
    """
    if name in REGISTRY:
        raise UsageError(f"nonlinearity '{name}' is already registered")
    records = tuple(factory(*params) for params in examples)
    if any(record.name != name for record in records):
        raise UsageError(f"the factory of '{name}' makes records named {sorted({r.name for r in records})}")
    REGISTRY[name] = factory
    _EXAMPLES[name] = records


def make(name: str, *params: float) -> Nonlinearity:
    """The function `name` at `params`; UsageError names the known ones."""
    if name not in REGISTRY:
        raise UsageError(f"unknown nonlinearity '{name}'; known: {', '.join(sorted(REGISTRY))}")
    return REGISTRY[name](*params)


def functions() -> tuple[Nonlinearity, ...]:
    """Representative records of every registered family."""
    return tuple(record for records in _EXAMPLES.values() for record in records)
