"""A network that was made of a model's, as a model of its own: with a graph that onnxruntime runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from onnx import ModelProto, TensorProto

from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.network import Affine, Network, simplify
from genbab.network.rounding.formats import FLOAT32, FLOAT64
from genbab.network.simplify import vanishes
from genbab.reader.domains.domains import Selection, with_domains
from genbab.reader.fuse.fuse import fuse
from genbab.reader.fuse.gates import fuse_gates
from genbab.reader.fuse.norms import with_norms
from genbab.reader.models.model import Model
from genbab.reader.models.selfcheck import same_values
from genbab.reader.onnx.files import Signature
from genbab.reader.write.network import OPSET, written

SINGLE = "onnxruntime lacks operators for float64 that it needs: its graph is in float32"
ALONE = "ONNX has no operators for it: not checked against onnxruntime, no counterexample can be replayed"


def made_of(
    model: Model,
    made: tuple[Network, Mapping[int, Selection]],
    name: str,
    ask: Callable[[], None] = lambda: None,
) -> Model:
    """The model with the same inputs whose output is that of a network, a tensor (1, outputs) of this name.

    made: the network, undefined nowhere as yet, and its selections.

    Its inputs have their types, its graph is in float64, or in float32 where onnxruntime lacks an operator.
    Raises `ModelError` where onnxruntime does not find the network's values in that graph.
    """
    network, selections = made
    network.check()
    whole = _without_reads(with_domains(network, selections), network.output)
    network = _without_reads(network, network.output)
    simple = simplify(fuse_gates(fuse(with_norms(whole), ask)))
    proto, signature, notes = _graph(model, network, name, simple)
    return Model(
        source=signature.source,
        network=simple,
        proto=proto.SerializeToString(),
        input_names=signature.input_names,
        input_shapes=signature.input_shapes,
        input_dtypes=signature.input_dtypes,
        output_names=(name,),
        output_shapes=((1, network.output_size),),
        opset=OPSET,
        operators=Counter(node.op_type for node in proto.graph.node),
        notes=notes,
        replayable=ALONE not in notes,
        precision=FLOAT32 if SINGLE in notes else FLOAT64,
    )


def _without_reads(network: Network, i: int) -> Network:
    """The network without the terms of a node that are 0 and only tell what it is made of."""
    node = network.affine[i]
    terms = tuple((source, one) for source, one in node.terms if not vanishes(one))
    return network.with_nodes({i: Affine(terms, node.bias, node.uncertainty)})


def _graph(
    model: Model, network: Network, name: str, simple: Network
) -> tuple[ModelProto, Signature, tuple[str, ...]]:
    """(a graph of the network that onnxruntime runs, its signature, remarks)."""
    inputs = list(zip(model.input_names, model.input_shapes, strict=True))
    outputs = [(name, (1, network.output_size))]
    source, refused = f"{name} of {model.source}", ""
    for elem, notes in ((TensorProto.DOUBLE, ()), (TensorProto.FLOAT, (SINGLE,))):
        kinds = model.input_dtypes
        signature = Signature(source, model.input_names, model.input_shapes, kinds, OPSET)
        try:
            proto = written(network, inputs, outputs, elem, kinds)
        except (UsageError, UnsupportedError):
            empty = ModelProto()
            empty.ParseFromString(model.proto)
            return empty, signature, (ALONE,)
        try:
            form = FLOAT32 if notes else FLOAT64
            return proto, signature, (*notes, *same_values(proto, signature, simple, form))
        except ModelError as error:
            refused = str(error)
            if "NOT_IMPLEMENTED" not in refused and "float64" not in refused:
                raise
    raise ModelError(refused)
