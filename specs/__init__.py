"""Specifications: one internal form, the VNN-LIB 1.0 reader and writer, and builders for people.

Needs numpy only. `Spec` is what everything above works on; where it came from does not matter to them.
"""

if __name__ != "genbab.specs":
    raise ImportError("import this package as genbab.specs")

from genbab.specs.builders import robustness
from genbab.specs.reader import parse_vnnlib, read_vnnlib
from genbab.specs.spec import Clause, Spec
from genbab.specs.writer import format_vnnlib, write_vnnlib

__all__ = ["Clause", "Spec", "format_vnnlib", "parse_vnnlib", "read_vnnlib", "robustness", "write_vnnlib"]
