"""The normal form: a DAG of four kinds of node, and the linear maps on its edges."""

from __future__ import annotations

from genbab.network.contraction import Contraction, Factor
from genbab.network.graph import Affine, Grouped, Input, Network, Node, Nonlinear, evaluate, values
from genbab.network.lift import lifted
from genbab.network.maps.base import (
    Adjoint,
    Compose,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    TokenDense,
    nonnegative,
)
from genbab.network.maps.convolution import Conv
from genbab.network.maps.index import Index
from genbab.network.maps.joins import compose
from genbab.network.noise import noise, noises
from genbab.network.plain import without_domains
from genbab.network.premises import held, implied, places
from genbab.network.rounded import rounded
from genbab.network.simplify import simplify

__all__ = [
    "Adjoint",
    "Affine",
    "Compose",
    "Contraction",
    "Conv",
    "Dense",
    "Diagonal",
    "Factor",
    "Grouped",
    "Identity",
    "Index",
    "Input",
    "LinearMap",
    "Network",
    "Node",
    "Nonlinear",
    "TokenDense",
    "compose",
    "evaluate",
    "held",
    "implied",
    "lifted",
    "noise",
    "noises",
    "nonnegative",
    "places",
    "rounded",
    "simplify",
    "values",
    "without_domains",
]
