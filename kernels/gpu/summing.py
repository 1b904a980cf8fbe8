"""Triton kernels that read coefficients once: lines from memory, and the least of a form over a box."""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.launching import tuned
from genbab.kernels.gpu.relaxing import place


@tuned
@triton.jit
def lines_kernel(
    a, low_x, high_x, low_y, high_y, c_low, c_high, mass, form_x, form_y, partial, sizes,
    B, S, N, sa, ra, s1, r1, s2, r2, s3, r3, s4, r4, s5, r5, s6, r6, s7, r7,
    ROWS_KEY, COLUMNS_KEY,
    TWO: tl.constexpr, UPPER: tl.constexpr, MASS: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A block of rows through lines from memory: forms, and sums of a share of the neurons."""
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    total = tl.zeros((ROWS, COLUMNS), dtype=form_x.dtype.element_ty)
    wide = tl.zeros((ROWS, COLUMNS), dtype=form_x.dtype.element_ty)
    for first in range(start, end, COLUMNS):
        n = (first + tl.arange(0, COLUMNS))[None, :]
        both = has[:, None] & (n < end)
        mine = tl.load(a + b * sa + rows * ra + n, both, 0.0)
        there = both & (mine != 0.0)
        out = (b * S + rows) * N + n
        slope = tl.load(low_x + b * s1 + rows * r1 + n, both, 0.0)
        c = tl.load(c_low + b * s5 + rows * r5 + n, both, 0.0)
        if UPPER:
            slope = tl.where(mine < 0.0, tl.load(high_x + b * s2 + rows * r2 + n, both, 0.0), slope)
            c = tl.where(mine < 0.0, tl.load(c_high + b * s6 + rows * r6 + n, both, 0.0), c)
        tl.store(form_x + out, mine * slope, both)
        if TWO:
            slope = tl.load(low_y + b * s3 + rows * r3 + n, both, 0.0)
            if UPPER:
                slope = tl.where(mine < 0.0, tl.load(high_y + b * s4 + rows * r4 + n, both, 0.0), slope)
            tl.store(form_y + out, mine * slope, both)
        total += tl.where(there, mine * c, 0.0)
        if MASS:
            heavy = tl.load(mass + b * s7 + rows * r7 + n, both, 0.0)
            wide += tl.where(there, tl.abs(mine) * heavy, 0.0)
    into = (tl.program_id(1).to(tl.int64) * B + b) * S + s
    tl.store(partial + into, tl.sum(total, 1), has)
    if MASS:
        tl.store(sizes + into, tl.sum(wide, 1), has)


@tuned
@triton.jit
def concretise_kernel(
    form, low, high, partial, corner, sizes,
    B, S, N, sf, rf, sl, sh,
    ROWS_KEY, COLUMNS_KEY,
    CORNER: tl.constexpr, SIZE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The least of a block of rows over the box: sums of a share of the inputs."""
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    total = tl.zeros((ROWS, COLUMNS), dtype=partial.dtype.element_ty)
    wide = tl.zeros((ROWS, COLUMNS), dtype=partial.dtype.element_ty)
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        mine = tl.load(form + b * sf + rows * rf + n[None, :], both, 0.0)
        there = both & (mine != 0.0)
        at_l, at_u = tl.load(low + b * sl + n, m, 0.0)[None, :], tl.load(high + b * sh + n, m, 0.0)[None, :]
        x = tl.where(mine > 0.0, at_l, at_u)
        total += tl.where(there, mine * x, 0.0)
        if CORNER:
            tl.store(corner + (b * S + rows) * N + n[None, :], x, both)
        if SIZE:
            wide += tl.where(there, tl.abs(mine) * tl.maximum(tl.abs(at_l), tl.abs(at_u)), 0.0)
    into = (tl.program_id(1).to(tl.int64) * B + b) * S + s
    tl.store(partial + into, tl.sum(total, 1), has)
    if SIZE:
        tl.store(sizes + into, tl.sum(wide, 1), has)
