"""The network of a model step by step as its graph is written: for what rounding does to it."""

from __future__ import annotations

from genbab.errors import GenbabError
from genbab.network import Network
from genbab.reader.convert.convert import convert
from genbab.reader.models.model import Model
from genbab.reader.onnx.custom_operators import expanded
from genbab.reader.onnx.files import read_proto
from genbab.reader.prepare.guards import without_guards
from genbab.reader.prepare.inline import inlined


def unsimplified(model: Model) -> Network:
    """A network with a node for every tensor of the model's graph, nothing merged.

    The model's own network where that cannot be had.
    """
    try:
        proto, signature = read_proto(model.proto)
        plain = without_guards(inlined(expanded(proto, model.source)[0], model.source))
        inputs = list(zip(signature.input_names, signature.input_shapes, strict=True))
        return convert(plain, inputs, model.source).network
    except GenbabError:
        return model.network
