"""Values of the functions for one row of numbers, a loop per function.

Every loop writes one array: with two, compilers would have to compare more pointers for overlap than they are
ready to, and leave the loop scalar.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, erfc, exp, inline, log, num, sin
from genbab.kernels.functions import CUBIC, SCALE, Code

_ROOT_HALF, _DOUBLE = math.sqrt(0.5), 2.0 * SCALE


@inline
def _logistic(x: Any) -> Any:
    return num(x, 1.0) / (num(x, 1.0) + exp(-x))


@inline
def _gelu_tanh(x: Any) -> Any:
    return x * _logistic(num(x, _DOUBLE) * x * (num(x, 1.0) + num(x, CUBIC) * x * x))


@compiled(**PLAIN)
def values(code: int, p: Any, x: Any, f: Any) -> None:  # noqa: C901 - calls cost 6 to 12 %
    """f(x), NaN for a function that has no loop here; p: the function's parameter."""
    if code == Code.RELU:
        for i in range(len(x)):
            f[i] = max(x[i], num(x[i], 0.0))
    elif code == Code.LEAKY_RELU:
        for i in range(len(x)):
            f[i] = x[i] if x[i] > num(x[i], 0.0) else num(x[i], p) * x[i]
    elif code == Code.SIGMOID:
        for i in range(len(x)):
            f[i] = _logistic(x[i])
    elif code == Code.TANH:
        for i in range(len(x)):
            f[i] = num(x[i], 2.0) * _logistic(num(x[i], 2.0) * x[i]) - num(x[i], 1.0)
    elif code == Code.SIN:
        for i in range(len(x)):
            f[i] = sin(x[i])
    elif code == Code.COS:
        for i in range(len(x)):
            f[i] = sin(x[i] + num(x[i], 0.5 * math.pi))
    elif code == Code.EXP:
        for i in range(len(x)):
            f[i] = exp(x[i])
    elif code == Code.RECIPROCAL:
        for i in range(len(x)):
            f[i] = num(x[i], 1.0) / x[i]
    elif code == Code.SQUARE:
        for i in range(len(x)):
            f[i] = x[i] * x[i]
    elif code == Code.SOFTPLUS:
        for i in range(len(x)):
            f[i] = max(x[i], num(x[i], 0.0)) + log(num(x[i], 1.0) + exp(-abs(x[i])))
    elif code == Code.GELU:
        for i in range(len(x)):
            f[i] = num(x[i], 0.5) * x[i] * erfc(-num(x[i], _ROOT_HALF) * x[i])
    elif code == Code.GELU_TANH:
        for i in range(len(x)):
            f[i] = _gelu_tanh(x[i])
    elif code == Code.SILU:
        for i in range(len(x)):
            f[i] = x[i] * _logistic(x[i])
    else:
        f[:] = np.nan
