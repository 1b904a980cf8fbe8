"""exp, log, sin, arccos and erf for loops that compilers turn into vector code.

In float32 they are short polynomials without branches (a few units in the last place; erf 2e-7), since calls
of the C library keep a loop scalar; in float64 they are the C library's. For searching slopes only.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import extending, njit, types

intrinsic: Any = extending.intrinsic
overload: Any = extending.overload

PLAIN: dict[str, Any] = {"error_model": "numpy", "nogil": True}
"""Options of loops: no exception on division by zero; strict floating point."""

_FOLDER = Path(__file__).parent


def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the sources that compiled code is made of."""
    folders = (_FOLDER, _FOLDER.parent, _FOLDER.parent / "torch")
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    return tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files)


_SOURCES = _stamp()


def compiled(**options: Any) -> Any:
    """`njit` whose compiled code is kept on disk until any source changes.

    numba itself looks at the file of the function alone, not at those of the functions that it calls.
    """

    def wrap(function: Any) -> Any:
        made = njit(cache=True, **options)(function)
        made._cache._cache_file._source_stamp = _SOURCES
        return made

    return wrap


inline = compiled(**PLAIN)


def _float32(x: Any) -> bool:
    return bool(x == types.float32)


@intrinsic
def _bits(typing: Any, x: Any) -> Any:
    """The bits of a float32 as an int32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), code


@intrinsic
def _from_bits(typing: Any, x: Any) -> Any:
    """The float32 with these bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), code


def num(x: float, c: float) -> float:
    """The constant c as a number of the type of x."""
    return c


@overload(num, jit_options=PLAIN, inline="always")
def _num(x, c):
    if _float32(x):
        return lambda x, c: np.float32(c)
    return lambda x, c: np.float64(c)


_LOG2E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_ROUND = np.float32(12582912.0)
_ROUND_BITS = np.int32(0x4B400000)
_E = tuple(np.float32(c) for c in (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665795e-2, 0.16666665, 0.5))
_EXP_LOW, _EXP_HIGH = np.float32(-87.0), np.float32(88.0)
_ONE, _HALF = np.float32(1.0), np.float32(0.5)
_ROOT_HALF_BITS = np.int32(0x3F3504F3)
_L = tuple(
    np.float32(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)


def exp(x: float) -> float:
    """e**x; float32 arguments are clipped to [-87, 88]."""
    return math.exp(x)


@overload(exp, jit_options=PLAIN)
def _exp(x):
    if not _float32(x):
        return lambda x: math.exp(x)

    def exp32(x):
        x = min(max(x, _EXP_LOW), _EXP_HIGH)
        shifted = x * _LOG2E + _ROUND
        turns = shifted - _ROUND
        r = x - turns * _LN2_HIGH - turns * _LN2_LOW
        p = _E[0]
        p = p * r + _E[1]
        p = p * r + _E[2]
        p = p * r + _E[3]
        p = p * r + _E[4]
        p = p * r + _E[5]
        p = p * r * r + r + _ONE
        return _from_bits(_bits(p) + ((_bits(shifted) - _ROUND_BITS) << np.int32(23)))

    return exp32


def log(x: float) -> float:
    """The logarithm of a positive normal number."""
    return math.log(x)


@overload(log, jit_options=PLAIN)
def _log(x):
    if not _float32(x):
        return lambda x: math.log(x)

    def log32(x):
        bits = _bits(x)
        exponent = (bits - _ROOT_HALF_BITS) >> np.int32(23)
        m = _from_bits(bits - (exponent << np.int32(23))) - _ONE
        p = _L[0]
        p = p * m + _L[1]
        p = p * m + _L[2]
        p = p * m + _L[3]
        p = p * m + _L[4]
        p = p * m + _L[5]
        p = p * m + _L[6]
        p = p * m + _L[7]
        p = p * m + _L[8]
        e = np.float32(exponent)
        square = m * m
        return m + (p * m * square + e * _LN2_LOW - _HALF * square) + e * _LN2_HIGH

    return log32


_TWO_OVER_PI = np.float32(2.0 / math.pi)
_P = tuple(np.float32(c) for c in (1.5703125, 4.837512969970703e-4, 7.549789948768648e-8))
_SIN = tuple(np.float32(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1))
_COS = tuple(np.float32(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))


def sin(x: float) -> float:
    """The sine; float32 arguments up to about 1e4."""
    return math.sin(x)


@overload(sin, jit_options=PLAIN)
def _sin(x):
    if not _float32(x):
        return lambda x: math.sin(x)

    def sin32(x):
        shifted = x * _TWO_OVER_PI + _ROUND
        turns = shifted - _ROUND
        quarter = _bits(shifted) & np.int32(3)
        r = x - turns * _P[0] - turns * _P[1] - turns * _P[2]
        q = r * r
        s = r + r * q * ((_SIN[0] * q + _SIN[1]) * q + _SIN[2])
        c = _ONE - _HALF * q + q * q * ((_COS[0] * q + _COS[1]) * q + _COS[2])
        found = c if quarter & np.int32(1) else s
        return -found if quarter & np.int32(2) else found

    return sin32


_A = tuple(
    np.float32(c)
    for c in (
        -0.0012624911,
        0.0066700901,
        -0.0170881256,
        0.0308918810,
        -0.0501743046,
        0.0889789874,
        -0.2145988016,
        1.5707963050,
    )
)
_PI = np.float32(math.pi)


def acos(x: float) -> float:
    """The angle in [0, pi] with cosine x, |x| <= 1 (Abramowitz & Stegun 4.4.46 in float32)."""
    return math.acos(x)


@overload(acos, jit_options=PLAIN)
def _acos(x):
    if not _float32(x):
        return lambda x: math.acos(x)

    def acos32(x):
        size = abs(x)
        p = _A[0]
        p = p * size + _A[1]
        p = p * size + _A[2]
        p = p * size + _A[3]
        p = p * size + _A[4]
        p = p * size + _A[5]
        p = p * size + _A[6]
        p = p * size + _A[7]
        angle = np.float32(math.sqrt(max(_ONE - size, np.float32(0.0)))) * p
        return _PI - angle if x < np.float32(0.0) else angle

    return acos32


_W = tuple(np.float32(c) for c in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))
_WIDTH = np.float32(0.3275911)


def erfc(x: float) -> float:
    """1 - erf(x) (Abramowitz & Stegun 7.1.26 in float32)."""
    return math.erfc(x)


@overload(erfc, jit_options=PLAIN)
def _erfc(x):
    if not _float32(x):
        return lambda x: math.erfc(x)

    def erfc32(x):
        size = abs(x)
        t = _ONE / (_ONE + _WIDTH * size)
        p = _W[0]
        p = p * t + _W[1]
        p = p * t + _W[2]
        p = p * t + _W[3]
        p = p * t + _W[4]
        tail = p * t * exp(-size * size)
        return np.float32(2.0) - tail if x < np.float32(0.0) else tail

    return erfc32


def sqrt(x: float) -> float:
    """The square root."""
    return math.sqrt(x)


@overload(sqrt, jit_options=PLAIN)
def _sqrt(x):
    if _float32(x):
        return lambda x: np.float32(math.sqrt(x))
    return lambda x: math.sqrt(x)
