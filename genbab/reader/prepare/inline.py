"""Functions spelled out: those a model defines, and ONNX operators defined by others (CenterCropPad, …)."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto, checker, defs, helper, shape_inference

from genbab.errors import ModelError
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.convert.control import CONTROL
from genbab.reader.convert.fold import FOLDS
from genbab.reader.convert.sequences import SEQUENCES
from genbab.reader.lower import LOWERINGS, MOVES
from genbab.reader.lower.table import REFUSED

WINDOWS = ("BlackmanWindow", "HammingWindow", "HannWindow")
BUILT_IN = frozenset({"Constant", "Shape", "Size", *CONTROL, *FOLDS, *SEQUENCES, *WINDOWS})
"""What is read, or computed on constants, without being spelled out."""


def inlined(proto: ModelProto, source: str) -> ModelProto:
    """The model without calls of functions, as far as onnx can spell them out; itself if there are none.

    Raises `ModelError` for functions that call themselves, and others that onnx refuses.
    """
    spelled = proto
    if proto.functions:
        from onnx import inliner

        try:
            spelled = inliner.inline_local_functions(proto)
        except (RuntimeError, ValueError, checker.ValidationError, shape_inference.InferenceError) as error:
            raise ModelError(f"{source}: its functions cannot be written out: {error}") from error
    operators = _defined(spelled)
    return _spelled_out(spelled, operators) if operators else spelled


def _defined(proto: ModelProto) -> list[tuple[str, str]]:
    """Operators of the graph that have no rule here but a definition in ONNX."""
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    found = set()
    for node in proto.graph.node:
        known = node.op_type in LOWERINGS or node.op_type in MOVES or node.op_type in BUILT_IN
        known = known or ("", node.op_type) in OPERATORS or node.op_type in REFUSED
        if known or node.domain not in ("", "ai.onnx") or not defs.has(node.op_type, opset, ""):
            continue
        schema: Any = defs.get_schema(node.op_type, opset, "")
        if schema.has_function or schema.has_context_dependent_function:
            found.add(("", node.op_type))
    return sorted(found)


def _spelled_out(proto: ModelProto, operators: list[tuple[str, str]]) -> ModelProto:
    """The model with these operators replaced by their definitions, if onnx can do that."""
    from onnx import inliner

    typed = ModelProto()
    typed.CopyFrom(proto)
    known = {i.name for i in proto.graph.input}
    for tensor in proto.graph.initializer:  # onnx looks for their types among the inputs only
        if tensor.name not in known:
            info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            typed.graph.input.append(info)
    try:
        return inliner.inline_selected_functions(typed, operators, inline_schema_functions=True)
    except (RuntimeError, ValueError, checker.ValidationError, shape_inference.InferenceError):
        return proto
