"""Normalisation operators in a lowered network."""

from __future__ import annotations

from dataclasses import dataclass

from genbab.network import Network
from genbab.network.rounding.formats import Format
from genbab.network.rounding.norms import NormError
from genbab.nonlinear import Product
from genbab.reader.convert.convert import Lowered
from genbab.reader.convert.rules import DOMAINS
from genbab.reader.tensors.values import Var

CENTRED = frozenset("LayerNormalization InstanceNormalization GroupNormalization".split())
NORMS = CENTRED | {"RMSNormalization", "SimplifiedLayerNormalization"}
"""Operators that divide rows of consecutive numbers by the root of their variance, or mean square."""


@dataclass(frozen=True)
class NormStep:
    """Node `node` of a lowered network is the norm of node `source` by rows of this length."""

    node: int
    source: int
    length: int
    epsilon: float
    centred: bool

    def error(self, form: Format) -> NormError:
        """What a program may add to it."""
        return NormError(self.length, self.epsilon, self.centred, form)


def norm_of(network: Network, step: Lowered) -> NormStep | None:
    """The norm that an operator became; None for other operators, and for norms of single numbers."""
    op, x = step.op, step.inputs[0] if step.inputs else None
    if op.kind not in NORMS or op.node.domain not in DOMAINS or not isinstance(x, Var):
        return None
    products = [
        i
        for i in range(step.first, step.last)
        if i in network.nonlinear and isinstance(network.nonlinear[i].fn, Product)
    ]
    if not products:
        return None
    if op.kind == "InstanceNormalization":
        rows = x.shape[0] * x.shape[1]
    elif op.kind == "GroupNormalization":
        rows = x.shape[0] * op.integer("num_groups", 1)
    else:
        axis = op.integer("axis", -1) % len(x.shape)
        rows = 1
        for n in x.shape[:axis]:
            rows *= n
    epsilon = op.number("epsilon", 1e-5)
    if x.size // rows < 2:
        return None
    return NormStep(products[0], x.node, x.size // rows, epsilon, op.kind in CENTRED)
