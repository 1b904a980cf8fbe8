"""The tables of operators: those that only move numbers, all others, and those refused with a reason.

Filled when this package is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Op, Value

Lowering = Callable[[Builder, Op, list[Value | None]], Value | list[Value]]
MlRule = Callable[[Builder, Op, list[Value | None]], Any]
"""As `Lowering`, but some outputs may have no rule (`Unread`)."""

Mover = Callable[[Op, list[Any]], Any]


@dataclass(frozen=True)
class Move:
    """An operator that only moves numbers, as a numpy function of its inputs.

    `data` are the positions of the inputs that are moved (None: all); the others must be constant.
    """

    function: Mover
    data: tuple[int, ...] | None


LOWERINGS: dict[str, Lowering] = {}
MOVES: dict[str, Move] = {}
HOW: dict[str, str] = {}
"""Per operator of the two tables, a few words for people: what it becomes."""

RANDOM = frozenset(
    "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split()
)
"""Operators whose outputs are random, whatever their inputs are."""

_BITS = "the bits of numbers that depend on the network's input"
_STRINGS = "strings"
_SHAPE = "the shape of its output depends on the network's input"
REFUSED: dict[str, str] = {
    "Unique": _SHAPE,
    "NonZero": _SHAPE,
    "NonMaxSuppression": _SHAPE,
    "Range": _SHAPE,
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch"), _STRINGS),
    **dict.fromkeys(("ImageDecoder", "TfIdfVectorizer"), "its input is no tensor of numbers"),
    **dict.fromkeys(("BitCast", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"), _BITS),
    "BitShift": _BITS,
    "RoiAlign": "its pictures are cut at places that may depend on the input: no rule",
    "MaxRoiPool": "its pictures are cut at places that may depend on the input: no rule",
    "DeformConv": "its kernel reads at places that may depend on the input: no rule",
    "MelWeightMatrix": "its input is no tensor of the network: sizes and frequencies",
    **dict.fromkeys(RANDOM, "its output is random"),
}
"""Operators without a rule on variable tensors, and why."""


ML: dict[str, MlRule] = {}
"""The same for operators of the domain `ai.onnx.ml`."""

ML_REFUSED: dict[str, str] = {
    "CastMap": "a dictionary as its input",
    "DictVectorizer": "a dictionary as its input",
    "ZipMap": "a dictionary for each row, which something else reads (zipmap=False on exporting)",
    "CategoryMapper": "text",
    "OneHotEncoder": "categories as its input, which are no real numbers",
}
"""Operators of that domain without a rule, and why."""


def lowering(*operators: str, how: str = "") -> Callable[[Lowering], Lowering]:
    """Registers a function that appends what these operators mean to a network; `how` says it to people."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(operators, function))
        HOW.update(dict.fromkeys(operators, how))
        return function

    return register


def moves(
    *operators: str, data: tuple[int, ...] | None = (0,), how: str = "affine: numbers are moved"
) -> Callable[[Mover], Mover]:
    """Registers a numpy function that moves numbers (see `Move`); it serves constants and variables alike."""

    def register(function: Mover) -> Mover:
        MOVES.update(dict.fromkeys(operators, Move(function, data)))
        HOW.update(dict.fromkeys(operators, how))
        return function

    return register


def ml_lowering(*operators: str, how: str = "") -> Callable[[MlRule], MlRule]:
    """Registers a function like `lowering`, for operators of the domain `ai.onnx.ml`."""

    def register(function: MlRule) -> MlRule:
        ML.update(dict.fromkeys(operators, function))
        HOW.update({f"ai.onnx.ml.{operator}": how for operator in operators})
        return function

    return register
