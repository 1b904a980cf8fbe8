"""Derivatives of a model's outputs by its inputs, as a specification names them: "d(y0, x1, x1)".

They are hidden tensors of one number, beside the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

MOST = 4
"""The highest order."""

_NAME = re.compile(rf"d\(y(\d+)((?:, ?x\d+){{1,{MOST}}})\)", re.ASCII)


class PartialDerivative(NamedTuple):
    """∂^n y_output / ∂x_inputs[0] ... ∂x_inputs[n - 1], n from 1; the inputs ascend."""

    output: int
    inputs: tuple[int, ...]

    @classmethod
    def of(cls, output: int, inputs: Sequence[int]) -> PartialDerivative:
        """The derivative by these inputs, in any order."""
        return cls(output, tuple(sorted(inputs)))

    @classmethod
    def named(cls, name: str) -> PartialDerivative | None:
        """The derivative of this name; None for a name that is none's."""
        found = _NAME.fullmatch(name)
        return (
            None if found is None else cls.of(int(found[1]), [int(i) for i in re.findall(r"\d+", found[2])])
        )

    @property
    def name(self) -> str:
        """What hidden tensors call it."""
        return f"d(y{self.output}, {', '.join(f'x{i}' for i in self.inputs)})"
