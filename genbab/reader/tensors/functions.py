"""Records of the library of nonlinearities, by name: the one place where the reader asks for them."""

from __future__ import annotations

from functools import cache

from genbab.nonlinear import Nonlinearity, make


@cache
def function(name: str, *parameters: float) -> Nonlinearity:
    """The library's function of this name.

    function("relu"), function("leaky_relu", 0.1), function("power", 3).
    """
    return make(name, *parameters)
