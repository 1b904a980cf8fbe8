"""Which charge the result of each operator of a file gets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from genbab.check.executed.charges import FunctionCharge, ProductCharge, SlopeCharge, SoftmaxCharge, exactly
from genbab.check.executed.single import NORMAL
from genbab.check.executed.sums import SumCharge, join
from genbab.check.executed.table import MEASURED, Known, Stretch, known
from genbab.check.failures import Unusable
from genbab.check.intervals import Array, Mask, magnitude
from genbab.check.model.operators.node import Node
from genbab.check.model.operators.pooling import row_length
from genbab.check.model.program import Charge, Fixed, Tensor, Wire, real

EXACT = frozenset(
    "Relu Neg Abs Max Min Clip Identity Dropout Flatten Reshape Transpose Slice Gather Squeeze Unsqueeze "
    "Expand Tile Pad Split Concat Cast Where MaxPool GlobalMaxPool ReduceMax ReduceMin Sign Floor Ceil Round "
    "Shape ConstantOfShape".split()
)
"""Operators whose results are numbers that go in, or known functions of them without a rounding."""

ROUNDS = {"MatMul": 1, "Gemm": 1, "Conv": 1, "ConvTranspose": 1, "ReduceSum": 0, "Sum": 0}
MEANS = ("ReduceMean", "AveragePool", "GlobalAveragePool")
OF_NORM = 16
"""More roundings than a batch normalisation has of any of its terms, a root and its reciprocal among them."""

FUNCTIONS = {
    op: op.lower()
    for op in "Sigmoid Tanh Exp Log Sqrt Reciprocal Sin Cos Tan Atan Erf Softplus Mish Softsign".split()
} | {"HardSwish": "hard_swish"}
DEFAULTS: dict[str, dict[str, float]] = {
    "Celu": {"alpha": 1.0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
}


KNOWN = EXACT | {*ROUNDS, *MEANS, *FUNCTIONS, *DEFAULTS, "Add", "Sub", "Mul", "Div", "BatchNormalization"}
KNOWN |= {"LeakyRelu", "PRelu", "Softmax", "Pow", "Gelu", "Elu", "Constant"}
OF_CONSTANTS = frozenset("Equal Less Greater Not And Or Range".split())
KNOWN |= OF_CONSTANTS
KINDS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)
"""Types of tensors: float32, integers, booleans."""

JOINING = {"Add": 2, "Sub": 2, "Mul": 2, "Div": 1, "BatchNormalization": 1}
"""Operators that may be taken into a sum that they read, among so many of their inputs."""

CHARGED = {*ROUNDS, *MEANS, "Add", "Sub", "Mul", "Div", "BatchNormalization", "PRelu"}
"""Operators whose charge holds for constants below the normal numbers, too, which may count as 0."""


class Charger:
    """Charges steps as a file is read; `table` says how exact elementary functions are."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._readers: Counter[str] = Counter()

    def begin(self, graph: Any) -> None:
        """Looks at a graph before it is read; `Unusable` if it computes in other types."""
        kinds = [(i.name, i.type.tensor_type.elem_type) for i in graph.input]
        kinds += [(t.name, t.data_type) for t in graph.initializer]
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    kinds.append((node.name, attribute.t.data_type))
                if node.op_type == "Cast" and attribute.name == "to":
                    kinds.append((node.name, attribute.i))
        wrong = [name for name, kind in kinds if kind not in KINDS]
        if wrong:
            raise Unusable(
                f"no float32 rule for numbers of other types: {', '.join(sorted(set(wrong)))[:200]}"
            )
        without = sorted({n.op_type for n in graph.node} - KNOWN)
        if without:
            raise Unusable(f"no float32 rule for the operators {', '.join(without)}")
        self._readers = Counter(name for node in graph.node for name in node.input)
        self._readers.update(o.name for o in graph.output)

    def __call__(
        self, node: Node, names: tuple[Sequence[str], Sequence[str]], first: int, results: Sequence[Tensor]
    ) -> None:
        """Charges the results of an operator, the steps from `first` on; names of what it reads and makes."""
        steps = node.program.steps
        made = {x.step for x in results if isinstance(x, Wire) and x.step >= first}
        if not made:
            return
        self._check(node)
        charge = self._charge(node, made)
        self._join(node, names[0], isinstance(charge, SumCharge))
        for number in made:
            step = steps[number]
            assert step is not None and step.charge is None
            if isinstance(charge, SumCharge) and node.op in (*ROUNDS, *MEANS) and names[1]:
                charge = replace(charge, name=names[1][0])
            steps[number] = replace(step, charge=charge)

    def _check(self, node: Node) -> None:
        """`Unusable` where an operator without a charge for that reads a constant that may count as 0."""
        if _below(
            np.array([float(node.get(name, 0.0)) for name in ("min", "max") if node.op == "Clip"])
        ).any():
            raise node.fail("no float32 rule for limits below the normal numbers")
        for place, x in enumerate(node.inputs):
            if (
                not isinstance(x, Fixed)
                or not x.is_float
                or (node.op in CHARGED and (node.op, place) != ("Div", 1))
            ):
                continue
            if ((x.low == x.high) & _below(x.low)).any():
                raise node.fail("no float32 rule for constants below the normal numbers")

    def _join(self, node: Node, reads: Sequence[str], linear: bool) -> None:
        """Takes the sums that only this operator reads into it, or notes that this may be done."""
        if node.op not in JOINING:
            return
        for name in reads[: JOINING[node.op]]:
            x = node.program.tensors.get(name)
            step = node.program.steps[x.step] if isinstance(x, Wire) else None
            if isinstance(x, Wire) and step is not None and isinstance(step.charge, SumCharge):
                if self._readers[name] == 1 and step.charge.name == name:
                    join(node.program, x.step, linear)

    def _charge(self, node: Node, made: set[int]) -> Charge:
        if node.op in EXACT:
            return exactly
        if node.op in ROUNDS or node.op in MEANS:
            return _sum(node)
        if node.op in OF_CONSTANTS:
            raise node.fail("no float32 rule for tensors that vary")
        if node.op in ("Add", "Sub", "Mul", "Div"):
            return _arithmetic(node)
        special: dict[str, Callable[[Node], Charge]] = {
            "BatchNormalization": _norm,
            "LeakyRelu": lambda n: SlopeCharge(np.abs(np.asarray(float(n.get("alpha", 0.01))))),
            "PRelu": _slopes,
            "Softmax": self._softmax,
        }
        if node.op in special:
            return special[node.op](node)
        return self._function(node)

    def _softmax(self, node: Node) -> Charge:
        return SoftmaxCharge(row_length(node), self._known(node, "exp"))

    def _function(self, node: Node) -> Charge:
        name, scale = FUNCTIONS.get(node.op, node.op.lower()), 1.0
        if node.op == "Pow":
            exponent = node.number(1, "", math.nan)
            if exponent in (0.0, 1.0) and self.table in MEASURED:
                return exactly
            name = f"power({np.format_float_positional(exponent, trim='-')})"
        elif node.op == "Gelu":
            name = "gelu_tanh" if node.get("approximate", b"none") == b"tanh" else "gelu"
        elif node.op == "Elu":
            scale = abs(float(node.get("alpha", 1.0)))
        elif node.op in DEFAULTS and self.table in MEASURED:
            if any(node.get(k, v) != v for k, v in DEFAULTS[node.op].items()):
                raise node.fail("no float32 rule for attributes other than the default ones")
        if not scale == 1.0 and not 2.0**-20 <= scale <= 2.0**20:
            raise node.fail("no float32 rule for this alpha")
        return FunctionCharge(_scaled(self._known(node, name), scale))

    def _known(self, node: Node, name: str) -> Known:
        found = known(self.table, name)
        if found is None:
            raise node.fail(f"no float32 rule: the table of {self.table} does not have {name}")
        return found


def _below(x: Array) -> Mask:
    """Which numbers some programs take for 0."""
    return np.asarray((x != 0) & (np.abs(x) < NORMAL))


def _scaled(found: Known, scale: float) -> Known:
    """What is known of a function that is multiplied where it is below 0, with a rounding more."""
    if scale == 1.0:
        return found
    more, rounding = max(1.0, scale) * (1 + 2.0**-22), 2.0**-22
    pieces = (Stretch(p.high, p.absolute * more + NORMAL, p.relative + rounding) for p in found.pieces)
    return Known(found.low, tuple(pieces), found.pole)


def _arithmetic(node: Node) -> Charge:
    """Of one operation; a constant divisor may be a factor."""
    if node.op in ("Add", "Sub"):
        return SumCharge(0)
    if node.op == "Div":
        return ProductCharge(True) if isinstance(node.tensor(1), Wire) else SumCharge(2)
    return ProductCharge(False) if all(isinstance(x, Wire) for x in node.inputs) else SumCharge(1)


def _sum(node: Node) -> Charge:
    if node.op in MEANS:
        return SumCharge(2, spread=float(math.prod(int(k) for k in node.get("kernel_shape", [1]))))
    factors = [abs(float(node.get(name, 1.0))) for name in ("alpha", "beta")] if node.op == "Gemm" else [1.0]
    if not 2.0**-20 <= min(factors) <= max(factors) <= 2.0**20:
        if factors[1:] != [0.0] or not 2.0**-20 <= factors[0] <= 2.0**20:
            raise node.fail("no float32 rule for this alpha and beta")
        factors = factors[:1]
    more = int(any(factor != 1.0 for factor in factors))
    return SumCharge(ROUNDS[node.op] + more, gain=max(1.0, *factors), spread=max(1.0, 1 / min(factors)))


def _slopes(node: Node) -> Charge:
    slope = node.fixed(1)
    return SlopeCharge(np.broadcast_to(magnitude(real(slope)), node.wire().shape).ravel())


def _norm(node: Node) -> Charge:
    """Of (x - m) · scale / root + bias, in any order, constants combined before or not."""
    scale, _, mean, _ = (float(magnitude(real(node.fixed(i))).max(initial=0.0)) for i in range(1, 5))
    least = float(real(node.fixed(4))[0].min(initial=1.0)) + float(node.get("epsilon", 1e-5))
    if not least >= 2.0**-99:
        raise node.fail("no float32 rule for a variance next to 0")
    return SumCharge(OF_NORM, gain=4.0 * (1 + scale) * (1 + mean) * (1 + least**-0.5))
