"""The normal form: a DAG of four kinds of node, and the linear maps on its edges."""

from __future__ import annotations

from genbab.network.computed.noise import noise, noises
from genbab.network.computed.rounded import rounded
from genbab.network.computed.values import evaluate, values, without_domains
from genbab.network.contraction import Contraction, Factor, contractions
from genbab.network.graph import Network
from genbab.network.lift import lifted, whole_variables
from genbab.network.maps.algebra import Adjoint, Compose, Identity, nonnegative
from genbab.network.maps.base import LinearMap
from genbab.network.maps.composition import compose
from genbab.network.maps.convolution import Conv
from genbab.network.maps.index import Index
from genbab.network.maps.weighted import Dense, Diagonal, TokenDense
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Node, Nonlinear, of_kind
from genbab.network.premises import implied, output_neurons, with_premises
from genbab.network.simplify import simplify
from genbab.network.walk import backward, forward
from genbab.network.whole import WholeInputs

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
    "Meaning",
    "Network",
    "Node",
    "Nonlinear",
    "TokenDense",
    "WholeInputs",
    "backward",
    "compose",
    "contractions",
    "evaluate",
    "forward",
    "implied",
    "lifted",
    "noise",
    "noises",
    "nonnegative",
    "of_kind",
    "output_neurons",
    "rounded",
    "simplify",
    "values",
    "whole_variables",
    "with_premises",
    "without_domains",
]
