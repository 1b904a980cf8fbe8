"""What every ONNX operator means in terms of the four kinds of node: one small function each, in two tables.

The modules of the shelves are found by themselves; a new one needs no other edit.
"""

from __future__ import annotations

import importlib
import pkgutil

from genbab.reader.lower import algebra, layers, ml, moving, numbers
from genbab.reader.lower.moving.movement import move
from genbab.reader.lower.table import LOWERINGS, MOVES, Lowering, Move

for _shelf in (algebra, layers, moving, numbers, ml):
    for _module in sorted(info.name for info in pkgutil.iter_modules(_shelf.__path__)):
        importlib.import_module(f"{_shelf.__name__}.{_module}")

__all__ = ["LOWERINGS", "MOVES", "Lowering", "Move", "move"]
