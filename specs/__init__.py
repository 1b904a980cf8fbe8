"""Specifications: one internal form, builders for people, and VNN-LIB.

Needs numpy only (VNN-LIB 2 is read by the package vnnlib). `Spec` is what everything above works on; where
it came from does not matter to them. docs/specs.md is the introduction.
"""

if __name__ != "genbab.specs":
    raise ImportError("import this package as genbab.specs")

from genbab.specs.form.clauses import Clause
from genbab.specs.form.declarations import NetworkName, TensorName, joint, own_models, whole_type
from genbab.specs.form.derivatives import PartialDerivative
from genbab.specs.form.describe import describe
from genbab.specs.form.elements import Ball, Hidden, Run
from genbab.specs.form.premises import with_premises
from genbab.specs.form.spec import Spec
from genbab.specs.form.whole import of_whole_outputs, on_whole_numbers
from genbab.specs.reader import parse_vnnlib, read_vnnlib, satisfies, version_of
from genbab.specs.vnnlib1.writer import format_vnnlib, write_text, write_vnnlib
from genbab.specs.vnnlib2.writer import format_vnnlib2, write_vnnlib2
from genbab.specs.words.assemble import always, never
from genbab.specs.words.builders import monotone, robustness
from genbab.specs.words.models import variables
from genbab.specs.words.networks import Input, Network
from genbab.specs.words.regions import among_top, box, classified, l1, l2, linf
from genbab.specs.words.statements import Statement, all_of, any_of
from genbab.specs.words.terms import Terms

__all__ = [
    "Ball",
    "Clause",
    "Hidden",
    "Input",
    "Network",
    "NetworkName",
    "PartialDerivative",
    "Run",
    "Spec",
    "Statement",
    "TensorName",
    "Terms",
    "all_of",
    "always",
    "among_top",
    "any_of",
    "box",
    "classified",
    "describe",
    "format_vnnlib",
    "format_vnnlib2",
    "joint",
    "l1",
    "l2",
    "linf",
    "monotone",
    "never",
    "of_whole_outputs",
    "on_whole_numbers",
    "own_models",
    "parse_vnnlib",
    "read_vnnlib",
    "robustness",
    "satisfies",
    "variables",
    "version_of",
    "whole_type",
    "with_premises",
    "write_text",
    "write_vnnlib",
    "write_vnnlib2",
]
