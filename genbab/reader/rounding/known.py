"""What tables say of functions, made ready for bounds."""

from __future__ import annotations

import math

import torch

from genbab.network.rounding.elementary import Piece, Pieces
from genbab.network.rounding.formats import FLOAT32, Format
from genbab.nonlinear import Nonlinearity, interval

FAR = 4e-6
"""Relative errors above this, in float32, are counted as absolute ones: a tail that is flushed to 0, say."""

LOW = -60.0
"""Below this exp is hardly above 0: absolute errors of pieces that reach so far stay absolute."""


def near(pieces: Pieces, fn: Nonlinearity, form: Format) -> Pieces:
    """The pieces of a function, with relative errors that are large for the format as absolute ones."""
    far = FAR * max(1.0, form.unit / FLOAT32.unit)
    return tuple(_near(piece, fn, far) for piece in pieces)


def _near(piece: Piece, fn: Nonlinearity, far: float) -> Piece:
    if piece.relative <= far:
        return piece
    low, high = (torch.tensor([[end]], dtype=torch.float64) for end in (piece.low, piece.high))
    size = max(abs(float(end)) for end in interval(fn, low, high))
    return Piece(piece.low, piece.high, piece.absolute + piece.relative * size, 0.0)


def multiple(pieces: Pieces, factor: float) -> Pieces:
    """What is known of elu(1) for elu(factor): the negative side is multiplied, with one rounding more."""
    factor, unit = max(1.0, abs(factor)), 2.0**-23
    return tuple(Piece(p.low, p.high, p.absolute * factor * (1 + unit), p.relative + unit) for p in pieces)


def absolutely(pieces: Pieces, unit: float) -> Pieces:
    """What is known of a function f with values up to 1 as an absolute error of 1 - f, rounded."""
    return tuple(Piece(p.low, p.high, p.absolute + p.relative + unit, 0.0) for p in pieces)


def below_zero(exp: Pieces) -> tuple[float, float]:
    """(absolute, relative): what is known of exp of numbers up to 0."""
    found = [p for p in exp if p.low < 0]
    absolute = max(p.absolute for p in found if p.low < LOW)
    share = (0.0 if p.low < LOW else p.absolute / math.exp(p.low) for p in found)
    return absolute, max(p.relative + more for p, more in zip(found, share, strict=True))
