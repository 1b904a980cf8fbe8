"""Names of derivatives in a VNN-LIB 1.0 text: DY_0_DX_1, D2Y_0_DX_1 and D2Y_0_DX_0_DX_1 beside X_i and Y_j.

They are written as further outputs, in the order in which they first occur, and every other character stays
in its place.
"""

from __future__ import annotations

import re

from genbab.errors import SpecError
from genbab.specs.form.derivatives import MOST, PartialDerivative

_NAME = re.compile(r"(?<![^\s()])D(\d*)Y_(\d+)((?:_DX_\d+)+)(?![^\s()])", re.ASCII)
_OUTPUT = re.compile(r"(?<![^\s()])Y_(\d+)(?![^\s()])", re.ASCII)
_COMMENT = re.compile(r";[^\n]*")


def as_outputs(text: str, name: str) -> tuple[str, dict[str, PartialDerivative]]:
    """(the text with further outputs in place of derivatives, the derivative that each of them is).

    Raises SpecError, named after the text, for a name whose order and inputs do not fit.
    """
    plain = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    count = 1 + max((int(found[1]) for found in _OUTPUT.finditer(plain)), default=-1)
    known: dict[PartialDerivative, str] = {}

    def replaced(found: re.Match[str]) -> str:
        one = _derivative(found, name)
        output = known.setdefault(one, f"Y_{count + len(known)}")
        return output.ljust(len(found[0]))

    made = _NAME.sub(replaced, plain)
    return made, {output: one for one, output in known.items()}


def _derivative(found: re.Match[str], name: str) -> PartialDerivative:
    inputs = [int(i) for i in re.findall(r"\d+", found[3])]
    order = int(found[1]) if found[1] else 1
    if len(inputs) == 1:
        inputs = inputs * min(order, MOST + 1)
    if len(inputs) != order or not 1 <= order <= MOST:
        raise SpecError(
            f"found '{found[0]}'; a derivative is DY_0_DX_1, D2Y_0_DX_1 or D2Y_0_DX_0_DX_1, "
            f"of an order up to {MOST}",
            name,
        )
    return PartialDerivative.of(int(found[2]), inputs)
