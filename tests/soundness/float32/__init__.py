"""An emulator of ONNX graphs in float32, in many styles of computing, and random networks to try it on."""

from __future__ import annotations

from .call import NotEmulated
from .machine import RULES, Program, run
from .styles import EDGES, GREEDY, ORDERS, Style, restored, styles

__all__ = [
    "EDGES",
    "GREEDY",
    "ORDERS",
    "RULES",
    "NotEmulated",
    "Program",
    "Style",
    "restored",
    "run",
    "styles",
]
