"""Which operators of ONNX, and which versions of its operator set, the reader knows."""

from __future__ import annotations

from onnx import TensorProto, defs, helper

from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.convert.control import CONTROL
from genbab.reader.convert.sequences import SEQUENCES
from genbab.reader.lower import LOWERINGS, MOVES
from genbab.reader.onnx.files import OLDEST_OPSET
from genbab.reader.onnx.runtime import session

ALWAYS_KNOWN = ("Constant", "Shape", "Size")
"""Operators whose outputs never depend on the network's input."""


OLD_IR = 8
"""A version of the file format that every onnxruntime in use knows."""


def operators() -> list[str]:
    """The operators of ONNX's own domain that have a rule for what depends on the network's input, sorted.

    Those that ONNX defines by others, and any operator on constants alone, can be read besides.
    """
    ruled = {kind for space, kind in OPERATORS if not space}
    ruled |= {*LOWERINGS, *MOVES, *CONTROL, *SEQUENCES, *ALWAYS_KNOWN}
    return sorted(
        ruled & {schema.name for schema in defs.get_all_schemas_with_history() if not schema.domain}
    )


def opset_versions() -> tuple[int, int]:
    """The oldest and the newest operator set that is read, and run by the onnxruntime that is installed."""
    newest = defs.onnx_opset_version()
    while newest > OLDEST_OPSET and not _runs(newest):
        newest -= 1
    return OLDEST_OPSET, newest


def _runs(opset: int) -> bool:
    """Whether onnxruntime loads a model of this operator set."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=OLD_IR)
    try:
        session(model.SerializeToString(), optimised=True)
    except Exception:  # its errors share no class
        return False
    return True
