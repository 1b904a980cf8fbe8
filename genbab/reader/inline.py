"""Functions spelled out: those that a model defines, and ONNX operators that are defined by others (Mish, CenterCropPad)."""

from __future__ import annotations

from onnx import ModelProto, defs

from genbab.reader.fold import FOLDS
from genbab.reader.lower import LOWERINGS, MOVES

BUILT_IN = frozenset({"Constant", "Shape", "Size", "If", *FOLDS})


def inlined(proto: ModelProto) -> ModelProto:
    """The model without calls of functions, as far as that gives operators with a rule; itself if there are none."""
    own = [(f.domain, f.name) for f in proto.functions]
    defined = [] if own else _defined(proto)
    if not own and not defined:
        return proto
    from onnx import inliner

    spelled = inliner.inline_local_functions(proto) if own else proto
    defined = _defined(spelled)
    return inliner.inline_selected_functions(spelled, defined, inline_schema_functions=True) if defined else spelled


def _defined(proto: ModelProto) -> list[tuple[str, str]]:
    """Operators of the graph that have no rule here but a definition in ONNX."""
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    found = set()
    for node in proto.graph.node:
        known = node.op_type in LOWERINGS or node.op_type in MOVES or node.op_type in BUILT_IN
        if known or node.domain not in ("", "ai.onnx") or not defs.has(node.op_type, opset, ""):
            continue
        schema = defs.get_schema(node.op_type, opset, "")
        if schema.has_function or schema.has_context_dependent_function:
            found.add(("", node.op_type))
    return sorted(found)
