"""Inner loops on arrays, one signature per loop and one module per backend: reserved, none is needed yet.

Floor 1. The definition of each loop will be plain torch; numba and Triton versions must agree with it. Until
then the loops are torch code in `genbab.nonlinear` and `genbab.bounds`.
"""

from __future__ import annotations

if __name__ != "genbab.kernels":
    raise ImportError("this folder is the package genbab.kernels: import genbab.kernels")
