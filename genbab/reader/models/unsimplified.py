"""The network of a model step by step as its graph is written: for what rounding does to it."""

from __future__ import annotations

from dataclasses import replace

from genbab.errors import GenbabError
from genbab.network import Network
from genbab.reader.models.model import Model, lowered
from genbab.reader.onnx.custom_operators import expanded
from genbab.reader.onnx.reading import read_proto


def unsimplified(model: Model) -> Network:
    """A network with a node for every tensor of the model's graph, nothing merged.

    The model's own network where that cannot be had.
    """
    try:
        proto, signature = read_proto(model.proto)
        known = replace(signature, source=model.source, whole=model.network.entry.whole)
        written = expanded(proto, model.source)[0]
        return lowered(written, known).network
    except GenbabError:
        return model.network
