"""The floating-point formats of a graph's tensors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from genbab.network.rounding.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from genbab.network.rounding.steps import Rounding
from genbab.reader.convert.convert import Lowered
from genbab.reader.tensors import elements
from genbab.reader.tensors.values import Inexact, Masked, Var, element

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


def rounded_to(form: Format) -> Rounding:
    """One rounding to the nearest number of the format, or none."""
    return Rounding(unit=form.unit, absolute=form.tiny)


def shorter(step: Lowered, form: Format) -> Format:
    """The shortest format of what an operator reads, at least of this one."""
    read = [v.value if isinstance(v, Masked) else v for v in step.inputs]
    types = {element(v) for v in read if isinstance(v, Var | np.ndarray | Inexact)}
    return max([form, *(FORMS[t] for t in types & FORMS.keys())], key=lambda one: one.unit)
