"""Models of operator sets that genbab has no rules for, as they are in the oldest one that it has rules for.

onnx's own converter does it. onnxruntime computes few operators of such sets, so that mostly there is nothing
to compare the result with: what is not known here to be converted rightly is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnx import ModelProto, NodeProto, checker, defs, helper, shape_inference

from genbab.errors import ModelError
from genbab.reader.onnx.files import OLDEST_OPSET, Signature
from genbab.reader.onnx.graphs import free_name, inner_graphs, nodes_within
from genbab.reader.onnx.opsets import raised
from genbab.reader.onnx.runtime import first_line, runs

Attributes = Mapping[str, object]


def _always(given: Attributes) -> bool:
    return True


def _inference(given: Attributes) -> bool:
    return given.get("is_test", 0) == 1


def _no_axis(given: Attributes) -> bool:
    return "axis" not in given


def _unpadded(given: Attributes) -> bool:
    pads = given.get("pads", ())
    return given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID") and not (
        isinstance(pads, list) and any(pads)
    )


def _both_written(given: Attributes) -> bool:
    return {"alpha", "gamma"} <= set(given)


BROADCAST = "Add Sub Mul Div Pow And Or Xor Equal Greater Less".split()
"""Operators whose second input is broadcast, from an axis on where one is given."""

CONVERTED: dict[str, tuple[Callable[[Attributes], bool], str]] = {
    **dict.fromkeys(
        "Abs Ceil Clip Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu Log Max Mean Min Neg "
        "Reciprocal Relu Sigmoid Sqrt Sum Tanh Gemm Concat Reshape".split(),
        (_always, ""),
    ),
    **dict.fromkeys(BROADCAST, (_no_axis, "with an axis, and tensors whose numbers of axes are not known")),
    **dict.fromkeys(["BatchNormalization", "Dropout"], (_inference, "in training mode (is_test = 0)")),
    "AveragePool": (_unpadded, "with padding"),
    "Selu": (_both_written, "without alpha and gamma"),
}
"""Operators whose definition changed up to opset 7, but not what they compute once the converter has
rewritten their attributes: which attributes that is true for, and what it is not true for. The changes stand
in ONNX's operator changelog (docs/Changelog.md of onnx)."""


def modern(proto: ModelProto, signature: Signature) -> ModelProto:
    """The model in the oldest operator set that there are rules for; itself if it is no older.

    Raises `ModelError` for what cannot be converted, naming every node that nothing is known of.
    """
    if signature.opset >= OLDEST_OPSET:
        return proto
    plain = _aligned(proto)
    start = f"{signature.source}: cannot be converted from opset {signature.opset} to {OLDEST_OPSET}"
    compared = runs(proto)
    if not compared and (unknown := _unknown(plain, signature.opset)):
        listed = "".join(f"\n  {one}" for one in unknown)
        raise ModelError(
            f"{start}, the oldest that genbab reads: write it in a newer one, or do without{listed}"
        )
    try:
        checker.check_model(_shaped(plain))
    except Exception as error:  # the library's checks raise what they like
        raise ModelError(f"{start}: {first_line(error)}") from error
    return raised(plain, signature, OLDEST_OPSET, compared)


def _aligned(proto: ModelProto) -> ModelProto:
    """The model without the attribute `axis` of what is broadcast, where the numbers of axes are known.

    The second input gets axes behind its own instead. The converter gives it as many as its rank lacks, which
    is right for the axis 0 only.
    """
    found = {i: axis for i, n in enumerate(proto.graph.node) if (axis := _axis(n)) is not None}
    if not found:
        return proto
    ranks = _ranks(proto)
    names = {name for node in proto.graph.node for name in (*node.input, *node.output)} | ranks.keys()
    made = ModelProto()
    made.CopyFrom(proto)
    del made.graph.node[:]
    for i, node in enumerate(proto.graph.node):
        kept = NodeProto()
        kept.CopyFrom(node)
        if i in found and set(node.input[:2]) <= ranks.keys():
            first, second = (ranks[n] for n in node.input[:2])
            behind = first - second - found[i] - (first if found[i] < 0 else 0)
            if behind >= 0:
                keep = [a for a in node.attribute if a.name != "axis"]
                del kept.attribute[:]
                kept.attribute.extend(keep)
            if behind > 0:
                kept.input[1] = free_name(names, f"{node.input[1]} aligned")
                axes = list(range(second, second + behind))
                more = helper.make_node("Unsqueeze", node.input[1:2], kept.input[1:2], axes=axes)
                made.graph.node.append(more)
        made.graph.node.append(kept)
    return made


def _axis(node: NodeProto) -> int | None:
    """From which axis on the second input is broadcast, if that is given."""
    wanted = node.op_type in BROADCAST and node.domain in ("", "ai.onnx") and len(node.input) == 2
    return next((int(a.i) for a in node.attribute if a.name == "axis"), None) if wanted else None


def _ranks(proto: ModelProto) -> dict[str, int]:
    """The numbers of axes of the tensors that they are known of."""
    try:
        graph = shape_inference.infer_shapes(proto).graph
    except (RuntimeError, ValueError, shape_inference.InferenceError):
        graph = proto.graph
    values = [v for v in (*graph.input, *graph.value_info) if v.type.tensor_type.HasField("shape")]
    found = {v.name: len(v.type.tensor_type.shape.dim) for v in values}
    return found | {t.name: len(t.dims) for t in graph.initializer}


def _shaped(proto: ModelProto) -> ModelProto:
    """A copy whose outputs have some shape each, without which onnx says no more of a model."""
    made = ModelProto()
    made.CopyFrom(proto)
    for value in made.graph.output:
        value.type.tensor_type.shape.SetInParent()
    return made


def _unknown(proto: ModelProto, opset: int) -> list[str]:
    """The nodes whose operator may mean something else after the conversion."""
    found = []
    for node in proto.graph.node:
        reason = _changed(node, opset)
        if reason is not None:
            found.append(f"{_place(node)}{reason}")
        for inner in nodes_within(n for graph in inner_graphs(node) for n in graph.node):
            if _version(inner, opset) != _version(inner, OLDEST_OPSET):
                found.append(
                    f"node '{inner.name or ', '.join(inner.output)}' ({inner.op_type}) in a subgraph"
                )
    return found


def _place(node: NodeProto) -> str:
    return f"node '{node.name or ', '.join(node.output)}' ({node.op_type})"


def _changed(node: NodeProto, opset: int) -> str | None:
    """Why nothing is known of this node; None where it is known what the converter makes of it."""
    version = _version(node, opset)
    if version and version == _version(node, OLDEST_OPSET):
        return None
    if node.op_type not in CONVERTED or not version:
        return ", whose definition has changed" if version else ", which that opset has not"
    known, otherwise = CONVERTED[node.op_type]
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return None if known(given) else f" {otherwise}"


def _version(node: NodeProto, opset: int) -> int:
    """The operator set that its definition is of, 0 if there is none."""
    if node.domain not in ("", "ai.onnx"):
        return 1
    try:
        return int(defs.get_schema(node.op_type, opset, "").since_version)
    except defs.SchemaError:
        return 0
