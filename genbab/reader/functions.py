"""Records of the library of nonlinearities, by name: the one place where the reader asks for them."""

from __future__ import annotations

from genbab.nonlinear import REGISTRY, Nonlinearity


def function(name: str, *parameters: float) -> Nonlinearity:
    """The library's function of this name, e.g. function("relu"), function("leaky_relu", 0.1), function("power", 3)."""
    entry = REGISTRY[name]
    made = entry(*parameters) if callable(entry) else entry
    assert isinstance(made, Nonlinearity)
    return made
