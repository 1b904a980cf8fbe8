"""Read-only tables of good branching points: reserved, no table is shipped yet.

Floor 3. A table says, for one nonlinearity and an interval, where to split it so that the relaxations of the
two halves are tightest. Until tables exist, splits are made at the function's own break points, else in the
middle of the interval.
"""

from __future__ import annotations

if __name__ != "genbab.lut":
    raise ImportError("this folder is the package genbab.lut: import genbab.lut")
