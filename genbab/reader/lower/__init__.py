"""What every ONNX operator means in terms of the four kinds of node: one small function per operator, in two
tables.
"""

from __future__ import annotations

from genbab.reader.lower import (  # noqa: F401 - importing a file fills the tables
    attention,
    blocks,
    casts,
    comparison,
    convolution,
    einsum,
    elementwise,
    indexing,
    linear,
    normalisation,
    padding,
    pooling,
    quantisation,
    recurrent,
    reductions,
    resize,
    sampling,
    softmax,
    winners,
)
from genbab.reader.lower.movement import move
from genbab.reader.lower.table import LOWERINGS, MOVES, Lowering, Move

__all__ = ["LOWERINGS", "MOVES", "Lowering", "Move", "move"]
