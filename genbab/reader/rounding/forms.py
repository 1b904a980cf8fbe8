"""The floating-point formats of a graph's tensors."""

from __future__ import annotations

from collections.abc import Iterable

from genbab.network.rounding.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from genbab.reader.tensors import elements
from genbab.reader.tensors.values import Var

FORMS = {
    elements.FLOAT: FLOAT32,
    elements.DOUBLE: FLOAT64,
    elements.FLOAT16: FLOAT16,
    elements.BFLOAT16: BFLOAT16,
}
"""The formats of ONNX's types."""


def shortest(tensors: Iterable[Var]) -> Format:
    """The shortest format of the tensors, float32 where none is below that."""
    used = [FORMS[v.element] for v in tensors if v.element in FORMS]
    return max([FLOAT32, *used], key=lambda form: form.unit)
