"""A model's network as it is differentiated: functions put together as far as that changes no derivative.

What is only near the file's graph in value (numbers rounded to a shorter type, roots whose exponent is
rounded, an activation that is nearly a known one) is near nothing in its derivative, so it is refused or not
rewritten. Everything else that a network is uncertain of is the numbers of affine functions: with weights W
known to within E, |W'x - Wx| <= E|x| for all x says |W' - W| <= E, so derivatives are known as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from genbab.errors import UsageError
from genbab.network import Network
from genbab.reader.domains.domains import Selection, with_domains
from genbab.reader.fuse.fuse import fuse
from genbab.reader.fuse.wrapped import symbolic_functions
from genbab.reader.models.model import Model, lowered
from genbab.reader.onnx.custom_operators import expanded
from genbab.reader.onnx.reading import read_proto


@dataclass(frozen=True, eq=False)
class Differentiable:
    """The network of a model's graph, to be differentiated and not to be bounded.

    fused: its functions are expressions without facts where several nodes are one function. written, as it
    is lowered, and its selections: it tells where the graph has a value; None where it has one everywhere.
    """

    fused: Network
    written: Network | None
    selections: Mapping[int, Selection]


def differentiable(model: Model, ask: Callable[[], None] = lambda: None) -> Differentiable:
    """The network of a model.

    Raises `UsageError` for
    a model that rounds its numbers on the way, or that is several models; `UnsupportedError` as loading does.
    """
    if model.parts:
        names = ", ".join(model.parts)
        raise UsageError(f"{model.source}: derivatives of several models at once ({names}) are not supported")
    whole = [str(t) for t in model.input_dtypes if not np.issubdtype(t, np.floating)]
    if whole:
        raise UsageError(f"{model.source}: inputs of type {whole[0]} have no derivatives; floats are needed")
    proto, signature = read_proto(model.proto)
    written = expanded(proto, model.source)[0]
    converted = lowered(written, replace(signature, source=model.source), ask)
    network = converted.network
    near = sorted(converted.near & (network.ancestors[network.output] | {network.output}))
    if near:
        where = ", ".join(dict.fromkeys(f"'{network.name(i)}'" for i in near))
        raise UsageError(
            f"{model.source}: {where} is rounded on the way (to a shorter type, or in an exponent), so it "
            "has no derivative; give the model without that conversion"
        )
    total = with_domains(network, converted.selections) is network
    fused = fuse(network, ask, pieces=symbolic_functions)
    return Differentiable(fused, None if total else network, converted.selections)
