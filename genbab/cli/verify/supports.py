"""`genbab supports --CAPABILITY`: what a solver of the VNN-LIB standard says of itself, one answer a line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from genbab.errors import UsageError

Lines = Callable[[], Sequence[str]]


def command(options: argparse.Namespace) -> int:
    """Print the answer; returns 0. Raises `UsageError` where nothing is asked."""
    if options.capability is None:
        raise UsageError(f"which capability? {', '.join(f'--{name}' for name in ANSWERS)}")
    print("\n".join(ANSWERS[options.capability]()))
    return 0


def _opsets() -> list[str]:
    from genbab.reader import opset_versions

    return [str(version) for version in opset_versions()]


def _operators() -> list[str]:
    from genbab.reader import operators

    return list(operators())


def _is(*lines: str) -> Lines:
    return lambda: lines


ANSWERS: dict[str, Lines] = {
    "onnx-opset-versions": _opsets,
    "onnx-element-types": _is("real", "float16", "bfloat16", "float32", "float64"),
    "onnx-operators": _operators,
    "vnnlib-versions": _is("2.0", "2.0"),
    "hidden-node-theories": _is("NH"),
    "multiple-input-output-theories": _is("SIO", "MIO"),
    "multiple-network-theories": _is("SNET", "MENET", "MINET", "MNET"),
    "multiple-node-comparison-theories": _is("SNC", "MNC"),
    "arithmetic-complexity-theories": _is("BND", "OUTC", "LIN", "POLY"),
    "optimised-disjunctive-reasoning": _is("false"),
    "serialise-assignments": _is("true"),
    "unsat-proofs": _is("false"),
}
"""By capability. A query of a floating-point type is about floating-point arithmetic, and so is its proof
(`Config.arithmetic`). A formula is brought into disjunctive normal form before it is decided.
"""
