"""One verification from question to verdict: what it will do and why, its stages, what it knows so far."""

from __future__ import annotations

from genbab.driver.fitting import fitted, load_within, on_boxes, on_integers
from genbab.driver.strategy import Strategy, strategy, unspecified
from genbab.driver.verification import Verification

__all__ = [
    "Strategy",
    "Verification",
    "fitted",
    "load_within",
    "on_boxes",
    "on_integers",
    "strategy",
    "unspecified",
]
